import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { connectionOf, type TenantId, type TenantRef } from '../../src/platform/database/index.js';
import { TenantClient } from '../../src/platform/database/tenant-client.js';
import { TenantPool } from '../../src/platform/database/tenant-pool.js';
import { TenantQuery } from '../../src/platform/database/tenant-query.js';
import { DATABASE_ROUTES } from '../support/database-routes.js';
import { Canary, plantCanaries } from '../support/isolation-ways.js';
import { runWorkload } from '../support/isolation-workload.js';
import { LOGIN_SECRET, newTenantId, openTestDatabase, type TestDatabase } from '../support/test-database.js';

/** For a longer run: WAXELL_ISOLATION_OPERATIONS=1000000. A failure names the seed that draws its operations again. */
const OPERATIONS = Number(process.env['WAXELL_ISOLATION_OPERATIONS'] ?? 5_000);
const SEED = Number(process.env['WAXELL_ISOLATION_SEED'] ?? Date.now() % 1_000_000_007);
const CONCURRENCY = 32;
const TENANTS = 8;
const LONG = Math.max(300_000, OPERATIONS * 5);

describe.each(DATABASE_ROUTES)('isolation, $route', { retry: 0 }, ({ options }) => {
  let db: TestDatabase;
  const tenants: TenantRef[] = [];

  beforeAll(async () => {
    db = await openTestDatabase({ pool: 6, ...options, entities: [Canary], statementTimeout: '500ms' });
    for (let at = 0; at < TENANTS; at += 1) {
      const tenant = await db.newTenant();
      tenants.push(tenant);
      await plantCanaries(db.superuser, tenant);
    }
  });
  afterAll(() => db.close());

  it(
    'holds for every way to the rows, in every circumstance, for random pairs of tenants at once',
    async () => {
      const workload = { operations: OPERATIONS, seed: SEED, concurrency: CONCURRENCY };
      const report = await runWorkload(db, tenants, workload);
      expect(report.operations).toBe(OPERATIONS);
      // Each way and each circumstance was among them, and few operations had to be repeated for others' interruptions.
      expect(Math.min(...Object.values(report.byWay))).toBeGreaterThan(OPERATIONS / 20);
      expect(Object.values(report.byKind)).not.toContain(0);
      expect(report.repeated).toBeLessThan(OPERATIONS / 20);
    },
    LONG,
  );

  if (options.pooledOver === undefined) return;
  it('is lost by a driver that sets the role for the session: reads go to the wrong tenant', async () => {
    let wrong = 0;
    const reader = async (at: number): Promise<void> => {
      const client = new pg.Client(connectionOf(db.poolerUrl ?? '', LOGIN_SECRET, 'app'));
      await client.connect();
      const { id } = tenants[at % TENANTS] as TenantRef;
      for (let round = 0; round < 20; round += 1) {
        await client.query(`SET ROLE "${id}"`);
        const { rows } = await client.query<{ role: string }>('SELECT current_user AS role');
        if (rows[0]?.role !== id) wrong += 1;
      }
      await client.query('RESET ROLE');
      await client.end();
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, (_, at) => reader(at)));
    expect(wrong).toBeGreaterThan(0);
  });
});

/** What the property is worth: with the driver broken, in ways in which drivers do break, it has to fail. */
describe('the isolation property', () => {
  let db: TestDatabase;
  let first: TenantId;
  const { SWITCH } = TenantQuery;
  const breakSwitch = (text: string): void => void Object.assign(TenantQuery, { SWITCH: text });

  beforeEach(() => {
    first = newTenantId();
  });
  afterEach(async () => {
    breakSwitch(SWITCH);
    vi.restoreAllMocks();
    await db.close();
  });

  const property = async (): Promise<unknown> => {
    db = await openTestDatabase({ pool: 4, entities: [Canary], statementTimeout: '500ms' });
    const tenants = [await db.newTenant(first), await db.newTenant()];
    for (const tenant of tenants) await plantCanaries(db.superuser, tenant);
    return runWorkload(db, tenants, { operations: 2_000, seed: SEED, concurrency: CONCURRENCY });
  };

  it('fails where the role is not switched', async () => {
    breakSwitch(SWITCH.replace(`set_config('role', $1, true)`, '$1::text'));
    vi.spyOn(TenantClient, 'start').mockReturnValue('START TRANSACTION');
    expect(TenantQuery.SWITCH).not.toBe(SWITCH);
    await expect(property()).rejects.toThrow(/does not exist.*WAXELL_ISOLATION_SEED=\d+/);
  });

  it('fails where a read outside a transaction runs under the role of another tenant', async () => {
    breakSwitch(SWITCH.replace('$1', `CASE WHEN $1::text <> '' THEN '${first}' END`));
    expect(TenantQuery.SWITCH).not.toBe(SWITCH);
    await expect(property()).rejects.toThrow(`"name":"${first}"`);
  });

  it('fails where a transaction runs under the role of another tenant', async () => {
    vi.spyOn(TenantClient, 'start').mockReturnValue(`START TRANSACTION; SET LOCAL ROLE "${first}"`);
    await expect(property()).rejects.toThrow(new RegExp(`"name":"${first}"|instead of|should have failed`));
  });

  it('fails where a waiting caller is served in the call chain of who gave the connection back', async () => {
    const seam = TenantPool.prototype as unknown as { inScope(scope: unknown, callback: () => void): void };
    vi.spyOn(seam, 'inScope').mockImplementation((_scope, callback) => callback());
    await expect(property()).rejects.toThrow(/another tenant/);
  });
});
