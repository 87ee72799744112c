import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TenantRef } from '../../src/platform/database/index.js';
import { Canary, plantCanaries } from '../support/isolation-ways.js';
import { runWorkload } from '../support/isolation-workload.js';
import { havePgBouncer } from '../support/pgbouncer.js';
import { openTestDatabase, type TestDatabase, type TestDatabaseOptions } from '../support/test-database.js';

/** For a longer run: WAXELL_ISOLATION_OPERATIONS=1000000. A failure names the seed that draws its operations again. */
const OPERATIONS = Number(process.env['WAXELL_ISOLATION_OPERATIONS'] ?? 50_000);
const SEED = Number(process.env['WAXELL_ISOLATION_SEED'] ?? Date.now() % 1_000_000_007);
const CONCURRENCY = 32;
const TENANTS = 8;
const LONG = Math.max(300_000, OPERATIONS * 5);

const routes: { route: string; options: TestDatabaseOptions; skip: boolean }[] = [
  { route: 'directly', options: { pool: 6 }, skip: false },
  {
    route: 'through PgBouncer with 3 server connections',
    options: { pool: 12, pooledOver: 3 },
    skip: !(await havePgBouncer()),
  },
];

describe.each(routes)('isolation $route', ({ options, skip }) => {
  let db: TestDatabase;
  const tenants: TenantRef[] = [];

  beforeAll(async () => {
    if (skip) return;
    db = await openTestDatabase({ ...options, entities: [Canary], statementTimeout: '500ms' });
    for (let at = 0; at < TENANTS; at += 1) {
      const tenant = await db.newTenant();
      tenants.push(tenant);
      await plantCanaries(db.superuser, tenant);
    }
  });
  afterAll(() => db?.close());

  it.skipIf(skip)(
    'holds for every way to the rows, in every circumstance, for random pairs of tenants at once',
    async () => {
      const workload = { operations: OPERATIONS, seed: SEED, concurrency: CONCURRENCY };
      const report = await runWorkload(db, tenants, workload);
      expect(report.operations).toBe(OPERATIONS);
      if (process.env['WAXELL_ISOLATION_REPORT']) console.log(report);
    },
    LONG,
  );
});
