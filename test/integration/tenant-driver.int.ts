import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StatementRefused, TenantMissing, type TenantRef } from '../../src/platform/database/index.js';
import { DATABASE_ROUTES } from '../support/database-routes.js';
import { openTestDatabase, type TestDatabase } from '../support/test-database.js';

/** Holds what the driver does with pg's internals against the pinned pg. */
describe.each(DATABASE_ROUTES)('the tenant driver, $route', ({ options }) => {
  let db: TestDatabase;
  let a: TenantRef;
  let b: TenantRef;

  beforeAll(async () => {
    db = await openTestDatabase({ pool: 2, ...options });
    [a, b] = [await db.newTenant(), await db.newTenant()];
  });
  afterAll(() => db.close());

  const whoami = {
    text: 'SELECT current_user AS role, current_schema() AS schema, $1::text AS said',
    values: ['x'],
  };
  const role = async (tenant: TenantRef): Promise<unknown> =>
    db.database.within(tenant, async () => (await db.database.query(whoami))[0]);

  it('runs a statement under the role and in the schema of the tenant in scope', async () => {
    expect(await role(a)).toEqual({ role: a.id, schema: a.id, said: 'x' });
    expect(await role(b)).toEqual({ role: b.id, schema: b.id, said: 'x' });
  });

  it('refuses a statement outside any scope, and sends nothing', async () => {
    await expect(db.database.query(whoami)).rejects.toThrow(TenantMissing);
    await expect(db.cells.home.tenants.query('SELECT 1')).rejects.toThrow(/No tenant in scope/);
  });

  it('leaves nothing of the switch on the connection', async () => {
    await Promise.all([role(a), role(b), role(a), role(b)]);
    const { rows } = await db.superuser.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND usename = 'waxell_app' AND state = 'idle in transaction'`,
    );
    expect(rows[0]?.n).toBe(0);
  });

  it('serves a waiting caller under its own tenant, whoever gives the connection back', async () => {
    const tenants = Array.from({ length: 200 }, (_, at) => (at % 2 === 0 ? a : b));
    const found = await Promise.all(tenants.map(async (tenant) => [tenant.id, await role(tenant)] as const));
    for (const [id, row] of found) expect(row).toMatchObject({ role: id, schema: id });
  });

  it('reads only, outside a transaction', async () => {
    await expect(
      db.database.within(a, () =>
        db.database.query({
          text: `INSERT INTO projects (id, name, created_by) VALUES ($1, 'x', 'x')`,
          values: [uuid(1)],
        }),
      ),
    ).rejects.toThrow(/read-only transaction/);
  });

  it('prepares a named statement once per tenant, and keeps two tenants of one name apart', async () => {
    const count = {
      name: 'count',
      text: 'SELECT count(*)::int AS n, current_user AS role FROM projects',
      values: [],
    };
    for (let round = 0; round < 3; round += 1) {
      for (const tenant of [a, b]) {
        const [row] = await db.database.within(tenant, () => db.database.query(count));
        expect(row).toMatchObject({ role: tenant.id });
      }
    }
  });

  it('recovers a connection whose statement failed, at every step of the flush', async () => {
    const failing = [
      { name: 'broken', text: 'SELECT no_such_column FROM projects', values: [] },
      { name: 'cast', text: 'SELECT $1::int AS n', values: ['no number'] },
      { name: 'zero', text: 'SELECT 1 / $1::int AS n', values: [0] },
      { text: 'SELECT FROM WHERE', values: [] },
    ];
    for (let round = 0; round < 3; round += 1) {
      for (const statement of failing) {
        await expect(db.database.within(a, () => db.database.query(statement))).rejects.toThrow(
          /does not exist|invalid input|division|syntax error/,
        );
        expect(await role(b)).toMatchObject({ role: b.id });
      }
    }
  });

  it('fails the statement when the role cannot be switched to, and not the next one', async () => {
    const unknown = { ...a, id: 't_ffffffffffffffff' as TenantRef['id'] };
    for (let round = 0; round < 3; round += 1) {
      await expect(role(unknown)).rejects.toThrow(/role "t_ffffffffffffffff" does not exist/);
      expect(await role(a)).toMatchObject({ role: a.id });
      const transaction = db.database.within(unknown, () => db.transactions.run(() => role(a)));
      await expect(transaction).rejects.toThrow(/role "t_ffffffffffffffff" does not exist/);
      expect(await role(a)).toMatchObject({ role: a.id });
    }
  });

  it('closes the least recently used named statements of a connection', async () => {
    for (let at = 0; at < 600; at += 1) {
      const statement = {
        name: `s${at % 300}`,
        text: `SELECT ${at % 300} AS n, current_user AS role`,
        values: [],
      };
      const [row] = await db.database.within(a, () => db.database.query(statement));
      expect(row).toEqual({ n: at % 300, role: a.id });
    }
  });

  it('names a statement that is repeated, where statements have names, and keeps its tenants apart', async () => {
    const statement = { text: 'SELECT $1::text AS said, current_user AS role', values: ['x'] };
    for (let round = 0; round < 20; round += 1) {
      for (const tenant of [a, b]) {
        const [row] = await db.database.within(tenant, () => db.database.query(statement));
        expect(row).toEqual({ said: 'x', role: tenant.id });
      }
    }
  });

  it('parses a statement anew when a migration has changed its result', async () => {
    const project = { name: 'migrated', text: 'SELECT * FROM projects WHERE id = $1', values: [uuid(9)] };
    const read = () => db.database.within(b, () => db.database.query(project));
    expect(await read()).toEqual([]);
    await db.superuser.query(`ALTER TABLE "${b.id}".projects ADD COLUMN added text DEFAULT 'later'`);
    await db.superuser.query(`INSERT INTO "${b.id}".projects (id, name, created_by) VALUES ($1, 'p', 'x')`, [
      uuid(9),
    ]);
    expect(await read()).toMatchObject([{ id: uuid(9), added: 'later' }]);
    await db.superuser.query(`DELETE FROM "${b.id}".projects`);
  });

  it('tells what is wrong with a statement, to each of many who send it at once', async () => {
    const broken = { name: 'broken_for_all', text: 'SELECT no_such_column FROM projects', values: [] };
    const sent = Array.from({ length: 50 }, () => db.database.within(a, () => db.database.query(broken)));
    for (const outcome of await Promise.allSettled(sent))
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: '42703' } });
  });

  it('cuts a statement that takes longer than the logins’ limit', async () => {
    const limit = { text: `SELECT current_setting('statement_timeout') AS limit`, values: [] };
    expect(await db.database.within(a, () => db.database.query(limit))).toEqual([{ limit: '15s' }]);
    for (const pool of [db.cells.home.control, db.cells.home.audit])
      expect((await pool.query(limit.text)).rows).toEqual([{ limit: '15s' }]);
  });

  it('takes one statement a message', async () => {
    const stacked = { text: 'SELECT 1; SELECT 2', values: [] };
    await expect(db.database.within(a, () => db.database.query(stacked))).rejects.toThrow(
      /multiple commands/,
    );
    await expect(
      db.database.within(a, () => db.transactions.run(() => db.database.query(stacked))),
    ).rejects.toThrow(/multiple commands/);
  });

  it.each([
    'SET ROLE postgres',
    'RESET ROLE',
    'DISCARD ALL',
    '/* x */ SET search_path = public',
    '-- x\nDO $$ BEGIN END $$',
    'BEGIN',
    'COPY projects TO STDOUT',
    'LISTEN x',
    'PREPARE x AS SELECT 1',
  ])('refuses %j before it is sent, outside and inside a transaction', async (text) => {
    const statement = { text, values: [] };
    await expect(db.database.within(a, () => db.database.query(statement))).rejects.toThrow(StatementRefused);
    await expect(
      db.database.within(a, () => db.transactions.run(() => db.database.query(statement))),
    ).rejects.toThrow(StatementRefused);
  });

  it('keeps a transaction under its tenant, and refuses another tenant inside it', async () => {
    await db.database.within(a, () =>
      db.transactions.run(async () => {
        expect((await db.database.query(whoami))[0]).toMatchObject({ role: a.id });
        const manager = db.database.manager;
        await expect(db.database.within(b, () => manager.query('SELECT 1'))).rejects.toThrow(
          /another tenant is in scope/,
        );
        // A scope of its own is no part of the transaction.
        expect(await role(b)).toMatchObject({ role: b.id });
        expect((await db.database.query(whoami))[0]).toMatchObject({ role: a.id });
      }),
    );
  });

  it('commits what a transaction wrote, and nothing of one that failed', async () => {
    const insert = (id: string) =>
      db.database.query({
        text: `INSERT INTO projects (id, name, created_by) VALUES ($1, 'p', 'x')`,
        values: [id],
      });
    await db.database.within(a, () => db.transactions.run(() => insert(uuid(2))));
    await expect(
      db.database.within(a, () =>
        db.transactions.run(async () => {
          await insert(uuid(3));
          throw new Error('changed my mind');
        }),
      ),
    ).rejects.toThrow('changed my mind');
    const count = { text: 'SELECT id FROM projects', values: [] };
    expect(await db.database.within(a, () => db.database.query(count))).toEqual([{ id: uuid(2) }]);
    expect(await db.database.within(b, () => db.database.query(count))).toEqual([]);
  });

  it('gives a failed transaction back clean', async () => {
    for (let round = 0; round < 10; round += 1) {
      await expect(
        db.database.within(a, () =>
          db.transactions.run(() => db.database.query({ text: 'SELECT 1/0', values: [] })),
        ),
      ).rejects.toThrow(/division by zero/);
    }
    expect(await role(b)).toMatchObject({ role: b.id });
  });
});

function uuid(n: number): string {
  return `00000000-0000-7000-8000-${String(n).padStart(12, '0')}`;
}
