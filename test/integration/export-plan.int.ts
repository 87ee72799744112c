import { afterAll, beforeAll, expect, it } from 'vitest';
import { EXPORTED_TABLES, LEFT_OUT_TABLES } from '../../src/organisations/export-plan.js';
import { openTestDatabase, type TestDatabase } from '../support/test-database.js';

let db: TestDatabase;
let columns: { table: string; column: string; type: string }[];

beforeAll(async () => {
  db = await openTestDatabase();
  const { id } = await db.newTenant();
  const found = await db.superuser.query<{ table: string; column: string; type: string }>(
    `SELECT table_name AS "table", column_name AS "column", data_type AS type FROM information_schema.columns
     WHERE table_schema = $1 ORDER BY 1, 2`,
    [id],
  );
  columns = found.rows;
});
afterAll(() => db.close());

it('says of every column of a tenant whether it is exported, or why not: who adds one decides', () => {
  const planned = EXPORTED_TABLES.flatMap(({ table, columns: own }) =>
    Object.keys(own).map((column) => `${table}.${column}`),
  );
  const there = columns
    .filter(({ table }) => !(table in LEFT_OUT_TABLES))
    .map(({ table, column }) => `${table}.${column}`);
  expect(planned.toSorted()).toEqual(there.toSorted());
  expect(
    Object.keys(LEFT_OUT_TABLES).filter((table) => !columns.some((column) => column.table === table)),
  ).toEqual([]);
});

it('takes no column of bytes as it is: it is opened, or left out', () => {
  const bytes = columns
    .filter(({ type }) => type === 'bytea')
    .map(({ table, column }) => `${table}.${column}`);
  const asIs = EXPORTED_TABLES.flatMap(({ table, columns: own }) =>
    Object.entries(own).flatMap(([column, how]) => (how === 'plain' ? [`${table}.${column}`] : [])),
  );
  expect(bytes.length).toBeGreaterThan(10);
  expect(asIs.filter((column) => bytes.includes(column))).toEqual([]);
});

it('leaves out whatever is a secret by its name', () => {
  const secret = /hash|secret|password|wrapped|^api_keys\./;
  const taken = EXPORTED_TABLES.flatMap(({ table, columns: own }) =>
    Object.entries(own).flatMap(([column, how]) => (typeof how === 'string' ? [`${table}.${column}`] : [])),
  );
  expect(taken.filter((column) => secret.test(column.split('.')[1] ?? ''))).toEqual([]);
});
