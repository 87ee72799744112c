import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileObjectStore } from '@waxell/infra';
import { afterAll, beforeAll, expect, it } from 'vitest';
import '../../src/app.module.js';
import { MeasureStorage } from '../../src/organisations/measure-storage.js';
import { CellObjects, TenantObjects } from '../../src/platform/objects/index.js';
import { Log } from '../../src/platform/observability/log.js';
import type { Residence } from '../../src/tenancy/index.js';
import { UnitOfWork } from '../../src/requests/index.js';
import { openTestDatabase, type TestDatabase } from '../support/test-database.js';

let db: TestDatabase;
let dir: string;
let objects: TenantObjects;
let measure: MeasureStorage;

beforeAll(async () => {
  db = await openTestDatabase();
  dir = await mkdtemp(join(tmpdir(), 'waxell-objects-'));
  objects = new TenantObjects(new CellObjects(new Map([[db.cells.home.name, new FileObjectStore({ dir })]])));
  // Measurements are no events: only the transactions of a unit of work are used.
  const unused = undefined as never;
  const work = new UnitOfWork(db.transactions, unused, unused, {
    requireWritable: () => undefined,
  } as unknown as Residence);
  measure = new MeasureStorage(db.cells, db.database, objects, work, new Log('silent'));
});
afterAll(async () => {
  await db.close();
  await rm(dir, { recursive: true });
});

async function measured(tenant: string): Promise<number> {
  const { rows } = await db.superuser.query<{ used: string }>(
    `SELECT used FROM "${tenant}".quota_usage WHERE quota = 'storageBytes' AND measured_at > now() - interval '1 minute'`,
  );
  return Number(rows[0]?.used);
}

it('measures rows and objects of each tenant by itself', async () => {
  const [a, b] = [await db.newTenant(), await db.newTenant()];
  await measure.cell(db.cells.home);
  const empty = await measured(a.id);
  expect(empty).toBeGreaterThan(0);
  expect(await measured(b.id)).toBe(empty);
  await objects.put(a, 'some/thing', Buffer.alloc(1_000_000));
  await db.superuser.query(
    `INSERT INTO "${a.id}".idempotency_keys SELECT sha256(i::text::bytea), '', repeat(md5(i::text), 100)::bytea
     FROM generate_series(1, 500) i`,
  );
  await measure.cell(db.cells.home);
  expect((await measured(a.id)) - empty).toBeGreaterThan(1_040_000);
  // What is noted of the measurement takes a page of its own.
  expect((await measured(b.id)) - empty).toBeLessThan(100_000);
});

it('takes away what is kept for a time only, in tenants where nobody writes any more', async () => {
  const tenants = [await db.newTenant(), await db.newTenant()];
  // Rows of directories and connections that are not there: it is about their age alone.
  await db.superuser.query('SET session_replication_role = replica');
  for (const { id } of tenants)
    await db.superuser.query(
      `INSERT INTO "${id}".scim_requests (id, directory_id, action, status, request, created_at)
         SELECT gen_random_uuid(), gen_random_uuid(), 'x', 400, 'x', now() - make_interval(days => d) FROM unnest(ARRAY[29, 31, 400]) d;
       INSERT INTO "${id}".sso_reports (id, connection_id, report, created_at)
         SELECT gen_random_uuid(), gen_random_uuid(), 'x', now() - make_interval(hours => h) FROM unnest(ARRAY[23, 25]) h`,
    );
  await db.superuser.query('RESET session_replication_role');
  await measure.cell(db.cells.home);
  for (const { id } of tenants) {
    const { rows } = await db.superuser.query(
      `SELECT (SELECT count(*)::int FROM "${id}".scim_requests) AS requests, (SELECT count(*)::int FROM "${id}".sso_reports) AS reports`,
    );
    expect(rows).toEqual([{ requests: 1, reports: 1 }]);
  }
});

it('measures the others where one cannot be measured', async () => {
  const [broken, whole] = [await db.newTenant(), await db.newTenant()];
  await db.superuser.query(`DROP TABLE "${broken.id}".quota_usage`);
  await measure.cell(db.cells.home);
  expect(await measured(whole.id)).toBeGreaterThan(0);
});
