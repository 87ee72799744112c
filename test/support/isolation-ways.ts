import { EntitySchema } from 'typeorm';
import type pg from 'pg';
import type { TenantRef } from '../../src/platform/database/index.js';
import type { TestDatabase } from './test-database.js';

/** A row that says whose it is, and under which role it was read. */
export interface CanaryRow {
  id: string;
  name: string;
  createdBy: string;
  description: string;
  role: string;
}

/** `projects`, with the role that reads it as a column: so that the ORM's own statements tell it too. */
export const Canary = new EntitySchema<CanaryRow>({
  name: 'Canary',
  tableName: 'projects',
  columns: {
    id: { type: 'uuid', primary: true },
    name: { type: 'text' },
    createdBy: { type: 'text', name: 'created_by' },
    description: { type: 'text' },
    role: { type: 'text', virtualProperty: true, query: () => 'SELECT current_user' },
  },
});

export const ROWS_PER_TENANT = 4;

/** The same ids in every tenant: whoever reads a neighbour's row by id finds one, with another name. */
export function rowId(at: number): string {
  return `00000000-0000-7000-8000-${String(at % ROWS_PER_TENANT).padStart(12, '0')}`;
}

/** Gives a tenant its rows; each carries the tenant's id as its name. */
export async function plantCanaries(superuser: pg.Pool, tenant: TenantRef): Promise<void> {
  for (let at = 0; at < ROWS_PER_TENANT; at += 1) {
    await superuser.query(
      `INSERT INTO "${tenant.id}".projects (id, name, created_by) VALUES ($1, $2, 'test')`,
      [rowId(at), tenant.id],
    );
  }
}

const COLUMNS = 'id, name, description, current_user AS role';
const BY_ID = `SELECT ${COLUMNS} FROM projects WHERE id = $1`;
const ALL = `SELECT ${COLUMNS} FROM projects WHERE name <> $1`;

export type Rows = readonly Pick<CanaryRow, 'name' | 'description' | 'role'>[];
/** A way to rows of the tenant in scope, and how many it finds there. */
export type Way = (at: number) => Promise<{ rows: Rows; expected: number }>;

/** Every way to the rows that the application has. */
export function waysToRows(db: TestDatabase): Record<string, Way> {
  const { database } = db;
  const one = async (rows: Promise<Rows>) => ({ rows: await rows, expected: 1 });
  const all = async (rows: Promise<Rows>) => ({ rows: await rows, expected: ROWS_PER_TENANT });
  return {
    unnamed: (at) => one(database.query({ text: BY_ID, values: [rowId(at)] })),
    named: (at) => one(database.query({ name: 'canary', text: BY_ID, values: [rowId(at)] })),
    namedList: () => all(database.query({ name: 'canaries', text: ALL, values: ['none'] })),
    list: () => all(database.query({ text: ALL, values: ['none'] })),
    execute: async (at) => {
      const { rows, rowCount } = await database.execute<CanaryRow>({ text: BY_ID, values: [rowId(at)] });
      return { rows, expected: rowCount ?? 0 };
    },
    manager: (at) => one(database.manager.query(BY_ID, [rowId(at)])),
    find: () => all(database.repository(Canary).find()),
    findOneBy: async (at) => {
      const row = await database.repository(Canary).findOneBy({ id: rowId(at) });
      return { rows: row ? [row] : [], expected: 1 };
    },
    queryBuilder: () =>
      all(
        database.repository(Canary).createQueryBuilder('c').where('c.name <> :none', { none: '' }).getMany(),
      ),
  };
}

/** Values, ids and names that attackers send; OTHER stands for a neighbour's id. */
export const INJECTIONS = [
  `' OR '1'='1`,
  `'; SET ROLE postgres; --`,
  `'; RESET ROLE; SELECT * FROM "OTHER".projects; --`,
  `' UNION SELECT id, name, description, current_user FROM "OTHER".projects --`,
  `' UNION SELECT id, name, '', name::name FROM ONLY "OTHER" . projects --`,
  `\\'; DROP TABLE projects; --`,
  `$$; SELECT set_config('role','OTHER',false); $$`,
  `'; COMMIT; SET ROLE "OTHER"; --`,
  `' || (SELECT set_config('role','OTHER',true)) || '`,
  `\u02bc; SET ROLE "OTHER"; --`,
  `OTHER`,
  `"OTHER"`,
  `none`,
  `waxell_app`,
];

/** Statements that fail, each at another step, and as what. */
export const FAILURES: readonly { text: string; values: unknown[]; as: RegExp }[] = [
  { text: 'SELECT 1 / $1::int', values: [0], as: /division by zero/ },
  { text: 'SELECT $1::int', values: ['x'], as: /invalid input syntax/ },
  { text: 'SELECT no_such_column FROM projects', values: [], as: /does not exist/ },
  { text: 'SELECT FROM WHERE', values: [], as: /syntax error/ },
  { text: 'SELECT 1; SELECT 2', values: [], as: /multiple commands/ },
  { text: `SELECT name FROM "OTHER".projects`, values: [], as: /permission denied for schema/ },
  { text: `SELECT set_config('role', 'OTHER', false)`, values: [], as: /permission denied for function/ },
  { text: `UPDATE "OTHER".projects SET name = 'stolen'`, values: [], as: /permission denied|read-only/ },
  { text: `SELECT $1::text`, values: ['a\0b'], as: /invalid byte sequence/ },
  { text: 'SET ROLE "OTHER"', values: [], as: /SELECT, INSERT, UPDATE/ },
];
