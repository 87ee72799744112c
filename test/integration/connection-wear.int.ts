import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectionOf, type TenantRef } from '../../src/platform/database/index.js';
import { placeOf } from '../../src/platform/database/tenant-place.js';
import { ReadLane } from '../../src/platform/database/read-lane.js';
import type { TenantStatement } from '../../src/platform/database/tenant-scope.js';
import { TenantPool } from '../../src/platform/database/tenant-pool.js';
import { runInScope } from '../../src/platform/database/tenant-scope.js';
import { LOGIN_SECRET, openTestDatabase, type TestDatabase } from '../support/test-database.js';

interface Answer {
  n: number;
  pid: number;
  role: string;
}

/** Which backends serve whom, and for how long. */
describe('connections of tenants', () => {
  let db: TestDatabase;
  const tenants: TenantRef[] = [];

  beforeAll(async () => {
    db = await openTestDatabase();
    for (let at = 0; at < 8; at += 1) tenants.push(await db.newTenant());
  });
  afterAll(() => db.close());

  const config = () => connectionOf(db.url, LOGIN_SECRET, 'app');
  const answers = async (reader: Pick<TenantPool, 'query'>, tenant: TenantRef, n: number, name?: string) => {
    const text = `SELECT ${n} AS n, pg_backend_pid() AS pid, current_user AS role`;
    const statement = { ...(name !== undefined && { name }), text, values: [], tenant: tenant.id };
    const { rows } = await runInScope({ tenant: tenant.id, region: tenant.region, cell: tenant.cell }, () =>
      reader.query<Answer & Record<string, unknown>>(statement),
    );
    return rows[0] as Answer;
  };
  /** The lane as a reader: it is told the tenant, and takes named statements. */
  const overLane = (lane: ReadLane) => ({
    query: <Row extends pg.QueryResultRow>(statement: TenantStatement) =>
      lane.query<Row>(statement.tenant as TenantRef['id'], {
        ...statement,
        name: `n${statement.text.length}`,
      }),
  });

  describe('of the pool', () => {
    it('are replaced when they have touched enough, and no statement fails for it', async () => {
      const pool = new TenantPool({ ...config(), max: 2, wear: { touches: 10 } });
      const reads = Array.from({ length: 400 }, (_, n) => answers(pool, tenantAt(n), n));
      const found = await Promise.all(reads);
      expect(found.map(({ n }) => n)).toEqual(found.map((_, n) => n));
      for (const [n, { role }] of found.entries()) expect(role).toBe(tenantAt(n).id);
      // Each of the two served ten statements of the four hundred at a time.
      expect(distinct(found)).toBeGreaterThanOrEqual(400 / 10 - 2);
      await pool.end();
    });

    it('are replaced when they have lived long enough', async () => {
      const pool = new TenantPool({ ...config(), max: 1, wear: { lifetimeMs: 0 } });
      const found = [await answers(pool, tenantAt(0), 1), await answers(pool, tenantAt(0), 1)];
      expect(distinct(found)).toBe(2);
      await pool.end();
    });

    it('stay for as long as a transaction lasts, however worn', async () => {
      const pool = new TenantPool({ ...config(), max: 1, wear: { touches: 2 } });
      const pids = await inTransaction(pool, tenantAt(0), 10);
      expect(new Set(pids).size).toBe(1);
      expect((await answers(pool, tenantAt(0), 1)).pid).not.toBe(pids[0]);
      await pool.end();
    });

    it('are not replaced for a statement that the server refused, and are for a transaction that nobody ended', async () => {
      const pool = new TenantPool({ ...config(), max: 1 });
      const { pid } = await answers(pool, tenantAt(0), 1);
      const wrong = { text: 'SELECT 1 / $1::int', values: [0] };
      const failing = runInScope({ tenant: tenantAt(0).id, region: '', cell: '' }, () => pool.query(wrong));
      await expect(failing).rejects.toThrow(/division by zero/);
      expect((await answers(pool, tenantAt(0), 1)).pid).toBe(pid);
      await inTransaction(pool, tenantAt(0), 1, { end: false });
      expect((await answers(pool, tenantAt(1), 1)).pid).not.toBe(pid);
      await pool.end();
    });

    it('serve their own tenants while one of them is free, and others rather than let anybody wait', async () => {
      const pool = new TenantPool({ ...config(), max: 4 });
      await Promise.all(tenants.map((tenant, n) => answers(pool, tenant, n)));
      for (const tenant of tenants) {
        const alone = [];
        for (let n = 0; n < 5; n += 1) alone.push(await answers(pool, tenant, n));
        expect(distinct(alone)).toBeLessThanOrEqual(2);
      }
      const together = await Promise.all(Array.from({ length: 40 }, (_, n) => answers(pool, tenantAt(0), n)));
      expect(distinct(together)).toBeGreaterThan(2);
      await pool.end();
    });

    it('refuse who waits too long, and serve whoever comes after', async () => {
      const pool = new TenantPool({ ...config(), max: 1, connectionTimeoutMillis: 1_000 });
      await answers(pool, tenantAt(0), 0);
      const slow = { text: 'SELECT pg_sleep(2)', values: [] };
      const holding = runInScope({ tenant: tenantAt(0).id, region: '', cell: '' }, () => pool.query(slow));
      await expect(answers(pool, tenantAt(1), 1)).rejects.toThrow('timeout exceeded when trying to connect');
      await holding;
      expect(await answers(pool, tenantAt(1), 2)).toMatchObject({ n: 2, role: tenantAt(1).id });
      await pool.end();
      await expect(answers(pool, tenantAt(1), 3)).rejects.toThrow('The pool is closed.');
    });
  });

  describe('of the read lane', () => {
    it('are replaced while they carry reads: none fails, and each caller sees its own in order', async () => {
      const errors: Error[] = [];
      const lane = new ReadLane({ ...config(), wear: { touches: 20 } }, 2, (error) => errors.push(error));
      const reader = overLane(lane);
      const pids = new Set<number>();
      const caller = async (_: unknown, number: number): Promise<void> => {
        for (let round = 0; round < 50; round += 1) {
          // Of nine lengths, and so of nine names a tenant.
          const n = 10 ** (round % 9);
          const answer = await answers(reader, tenantAt(number), n);
          expect(answer).toMatchObject({ n, role: tenantAt(number).id });
          pids.add(answer.pid);
        }
      };
      await Promise.all(Array.from({ length: 32 }, caller));
      expect(pids.size).toBeGreaterThan(2);
      expect(errors).toEqual([]);
      await lane.close();
      const { rows } = await db.superuser.query<{ left: number }>(
        'SELECT count(*)::int AS left FROM pg_stat_activity WHERE pid = ANY($1)',
        [[...pids]],
      );
      expect(rows[0]?.left).toBe(0);
    });

    it('are two for a tenant, and all for many', async () => {
      const lane = new ReadLane(config(), 4, () => undefined);
      const reader = overLane(lane);
      const all = new Set<number>();
      for (const tenant of tenants) {
        const found = await Promise.all(Array.from({ length: 200 }, () => answers(reader, tenant, 1)));
        expect(distinct(found)).toBeLessThanOrEqual(2);
        for (const { pid } of found) all.add(pid);
      }
      const places = tenants.flatMap(({ id }) => [placeOf(id, 4), (placeOf(id, 4) + 1) % 4]);
      expect(all.size).toBe(new Set(places).size);
      await lane.close();
    });
  });

  function tenantAt(n: number): TenantRef {
    return tenants[n % tenants.length] as TenantRef;
  }
});

function distinct(found: readonly Answer[]): number {
  return new Set(found.map(({ pid }) => pid)).size;
}

/** The backend of each of so many statements in one transaction. */
function inTransaction(
  pool: TenantPool,
  tenant: TenantRef,
  statements: number,
  { end = true } = {},
): Promise<number[]> {
  return runInScope({ tenant: tenant.id, region: tenant.region, cell: tenant.cell }, async () => {
    const lent = Promise.withResolvers<{
      client: NonNullable<Parameters<Parameters<TenantPool['connect']>[0]>[1]>;
      release: () => void;
    }>();
    pool.connect((error, client, release) => {
      if (client) lent.resolve({ client, release });
      else lent.reject(error);
    });
    const { client, release } = await lent.promise;
    const run = async (text: string): Promise<{ rows: Answer[] }> => client.query(text);
    await run('START TRANSACTION');
    const pids: number[] = [];
    for (let n = 0; n < statements; n += 1)
      pids.push((await run(`SELECT ${n} AS n, pg_backend_pid() AS pid`)).rows[0]?.pid ?? 0);
    if (end) await run('COMMIT');
    release();
    return pids;
  });
}
