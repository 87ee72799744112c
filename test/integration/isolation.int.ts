import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type pg from 'pg';
import { isTenantId, type TenantRef } from '../../src/platform/database/index.js';
import { connectAs, openTestDatabase, type TestDatabase } from '../support/test-database.js';

const TENANTS = 6;
/** Enough of them that every connection changes tenant all the time. */
const OPERATIONS = Number(process.env['WAXELL_ISOLATION_OPERATIONS'] ?? 4_000);
const INJECTIONS = [
  `' OR '1'='1`,
  `'; SET ROLE postgres; --`,
  `'; RESET ROLE; SELECT * FROM "OTHER".projects; --`,
  `' UNION SELECT id, name FROM "OTHER".projects --`,
  `\\'; DROP TABLE projects; --`,
  `$$; SELECT set_config('role','OTHER',false); $$`,
];

describe('isolation of tenants', () => {
  let db: TestDatabase;
  let tenants: TenantRef[];

  beforeAll(async () => {
    db = await openTestDatabase({ pool: 3 });
    tenants = [];
    for (let at = 0; at < TENANTS; at += 1) tenants.push(await db.newTenant());
    for (const tenant of tenants) {
      // The canary: each tenant's only project carries its owner's id as its name.
      await db.superuser.query(
        `INSERT INTO "${tenant.id}".projects (id, name, created_by) VALUES (gen_random_uuid(), $1, 'test')`,
        [tenant.id],
      );
    }
  });
  afterAll(() => db.close());

  const canary = {
    text: 'SELECT name, current_user AS role FROM projects WHERE name <> $1',
    values: ['none'],
  };

  it('holds for every mixture of tenants, outcomes and nesting on shared connections', async () => {
    const tenantAt = (index: number): TenantRef => tenants[index % TENANTS] as TenantRef;
    const expectOwn = (rows: unknown[], tenant: TenantRef): void => {
      expect(rows).toEqual([{ name: tenant.id, role: tenant.id }]);
    };
    const read = async (tenant: TenantRef, name?: string): Promise<void> => {
      expectOwn(await db.database.query({ ...canary, ...(name && { name }) }), tenant);
    };
    const kinds: Record<string, (tenant: TenantRef, other: TenantRef) => Promise<void>> = {
      read: (tenant) => read(tenant),
      named: (tenant) => read(tenant, 'canary'),
      typeorm: async (tenant) =>
        expectOwn(await db.database.manager.query(canary.text, canary.values), tenant),
      error: async (tenant) => {
        await expect(db.database.query({ text: 'SELECT 1/0', values: [] })).rejects.toThrow(
          /division by zero/,
        );
        await read(tenant);
      },
      commit: (tenant) =>
        db.transactions.run(async () => {
          await db.database.query({ text: 'UPDATE projects SET version = version + 1', values: [] });
          await read(tenant);
        }),
      rollback: async (tenant) => {
        const failing = db.transactions.run(async () => {
          await db.database.query({ text: `UPDATE projects SET name = 'gone'`, values: [] });
          throw new Error('rollback');
        });
        await expect(failing).rejects.toThrow('rollback');
        await read(tenant);
      },
      timeout: async (tenant) => {
        const cut = db.transactions.run(async () => {
          const [backend] = await db.database.query<{ pid: number }>({
            text: 'SELECT pg_backend_pid() AS pid',
            values: [],
          });
          const slow = db.database.query({ text: 'SELECT pg_sleep(10)', values: [] });
          const cancelling = db.superuser.query('SELECT pg_sleep(0.02), pg_cancel_backend($1)', [
            backend?.pid,
          ]);
          await Promise.all([slow, cancelling]);
        });
        await expect(cut).rejects.toThrow(/canceling statement/);
        await read(tenant);
      },
      nested: (tenant, other) =>
        // One at a time: each holds a connection while it waits for a second.
        oneAtATime(() =>
          db.transactions.run(async () => {
            await read(tenant);
            await db.database.within(other, () => read(other));
            await read(tenant);
          }),
        ),
      injection: async (tenant, other) => {
        for (const text of INJECTIONS) {
          const value = text.replaceAll('OTHER', other.id);
          const rows = await db.database.query({
            text: 'SELECT name FROM projects WHERE name = $1',
            values: [value],
          });
          expect(rows).toEqual([]);
          // Even where somebody builds SQL from text, it reaches nothing of a neighbour.
          const built = await db.database
            .query({ text: `SELECT name, created_by FROM projects WHERE name = '${value}'`, values: [] })
            .catch(() => []);
          for (const row of built) expect([tenant.id, 'none']).toContain((row as { name: string }).name);
        }
      },
    };
    let before: Promise<unknown> = Promise.resolve();
    const oneAtATime = (work: () => Promise<void>): Promise<void> => {
      const turn = before.then(work);
      before = turn.catch(() => undefined);
      return turn;
    };
    // Each cut statement holds a connection for a while; a few among many are as telling.
    const quick = Object.keys(kinds).filter((name) => name !== 'timeout');
    const kind = fc.oneof(
      { weight: 60, arbitrary: fc.constantFrom(...quick) },
      { weight: 1, arbitrary: fc.constant('timeout') },
    );
    const operation = fc.tuple(kind, fc.nat(TENANTS - 1), fc.nat(TENANTS - 1));
    const batch = 80;
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: batch, maxLength: batch }), async (operations) => {
        await Promise.all(
          operations.map(async ([kind, at, otherAt]) => {
            const tenant = tenantAt(at);
            await db.database.within(tenant, () => kinds[kind]?.(tenant, tenantAt(otherAt)));
          }),
        );
      }),
      { numRuns: Math.ceil(OPERATIONS / batch), endOnFailure: true },
    );
  });

  describe('by the database itself, for whoever runs SQL under a tenant’s role', () => {
    let client: pg.Client;
    let own: string;
    let other: string;

    beforeAll(async () => {
      client = await connectAs(db.url, 'app');
      [own, other] = tenants.map((tenant) => tenant.id) as unknown as [string, string];
    });
    afterAll(() => client.end());

    /** As the driver does it, then whatever an attacker manages to send in the same session. */
    const asTenant = async (text: string, values: unknown[] = []): Promise<pg.QueryResult> => {
      await client.query(`START TRANSACTION; SET LOCAL ROLE "${own}"`);
      try {
        return await client.query(text, values);
      } finally {
        await client.query('ROLLBACK');
      }
    };

    it.each([
      ['reads a neighbour’s table', 'SELECT * FROM "OTHER".agents', /permission denied for schema/],
      ['reads the registry', 'SELECT * FROM control.tenants', /permission denied for schema/],
      ['reads signing keys', 'SELECT * FROM control.signing_keys', /permission denied for schema/],
      ['reads the audit log', 'SELECT * FROM audit.events', /permission denied/],
      ['reads the outbox', 'SELECT * FROM audit.outbox', /permission denied/],
      ['changes the audit log', `UPDATE audit.events SET action = 'x'`, /permission denied/],
      [
        'forges a neighbour’s event',
        `INSERT INTO audit.outbox (tenant, event) VALUES ('OTHER', 'x')`,
        /permission denied/,
      ],
      [
        'orders a neighbour’s run',
        `INSERT INTO work.runs (tenant, run_id) VALUES ('OTHER', gen_random_uuid())`,
        /permission denied/,
      ],
      ['reads whose runs are waiting', 'SELECT * FROM work.runs', /permission denied/],
      ['reads the queue', 'SELECT * FROM queue.job', /permission denied for schema/],
      [
        'switches role by function',
        `SELECT set_config('role', 'OTHER', false)`,
        /permission denied for function set_config/,
      ],
      ['creates a table', 'CREATE TABLE loot (x text)', /permission denied/],
      ['creates a temporary table', 'CREATE TEMP TABLE loot (x text)', /permission denied/],
      ['runs procedural code', `DO $x$ BEGIN PERFORM 1; END $x$`, /permission denied for language/],
      ['alters its own table', 'ALTER TABLE users DROP COLUMN email', /must be owner/],
      ['rewrites a published version', `UPDATE agent_versions SET definition = '{}'`, /permission denied/],
      ['deletes runs', 'DELETE FROM runs', /permission denied/],
      ['reads a file', `SELECT pg_read_file('/etc/passwd')`, /permission denied/],
      ['reads other sessions’ statements', `SELECT set_config('x.y','z',true)`, /permission denied/],
    ])('refuses who %s', async (_what, text, refusal) => {
      await expect(asTenant(text.replaceAll('OTHER', other))).rejects.toThrow(refusal);
    });

    it('stamps an outbox row with the role that wrote it', async () => {
      await client.query(`START TRANSACTION; SET LOCAL ROLE "${own}"`);
      await client.query(`INSERT INTO audit.outbox (event) VALUES ('x')`);
      await client.query('COMMIT');
      const { rows } = await db.superuser.query<{ tenant: string }>(
        'DELETE FROM audit.outbox RETURNING tenant',
      );
      expect(rows).toEqual([{ tenant: own }]);
    });

    it('gives the login itself no tenant’s rows without a switch', async () => {
      await expect(client.query(`SELECT * FROM "${own}".agents`)).rejects.toThrow(
        /permission denied for schema/,
      );
    });

    it('shows no neighbour’s running statements', async () => {
      const { rows } = await asTenant(
        `SELECT query FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query <> ''`,
      );
      for (const row of rows) expect((row as { query: string }).query).toBe('<insufficient privilege>');
    });
  });

  it('keeps control and audit logins out of tenants’ schemas', async () => {
    for (const login of ['control', 'audit'] as const) {
      const client = await connectAs(db.url, login);
      await expect(client.query(`SELECT * FROM "${tenants[0]?.id}".users`)).rejects.toThrow(
        /permission denied/,
      );
      await expect(client.query(`SET ROLE "${tenants[0]?.id}"`)).rejects.toThrow(/permission denied/);
      await client.end();
    }
  });

  it('names every tenant so that it can stand in SQL', () => {
    for (const tenant of tenants) expect(isTenantId(tenant.id)).toBe(true);
    for (const wrong of ['t_', 'postgres', 't_0123456789abcdeF', 't_0123456789abcdef"', '', 7, null]) {
      expect(isTenantId(wrong)).toBe(false);
    }
  });
});
