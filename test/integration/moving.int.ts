import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TenantRef } from '../../src/platform/database/index.js';
import {
  CopyDiffers,
  copyTable,
  inOneTransaction,
  pauseWrites,
  reconcile,
  reconcileExactly,
  resumeWrites,
  stopReads,
  tablesOf,
  WriterDidNotEnd,
  writersEnded,
} from '../../src/platform/database/moving/index.js';
import { openTestCells, type TestCells } from '../support/test-cells.js';

let test: TestCells;
beforeAll(async () => {
  test = await openTestCells();
});
afterAll(() => test.close());

const insertProject = (name: string) => ({
  text: 'INSERT INTO projects (id, name, created_by) VALUES (gen_random_uuid(), $1, $2)',
  values: [name, 'test'],
});
const write = (tenant: TenantRef, text: string, values: unknown[] = []): Promise<unknown> =>
  test.database.within(tenant, () => test.transactions.run(() => test.database.query({ text, values })));
const read = (tenant: TenantRef): Promise<unknown[]> =>
  test.database.within(tenant, () =>
    test.database.query({ name: 'names', text: 'SELECT name FROM projects', values: [] }),
  );
const addProject = (tenant: TenantRef, name: string): Promise<unknown> =>
  write(tenant, insertProject(name).text, insertProject(name).values);

/** What a role may do to each table and column of its schema, as the database keeps it. */
async function grantsOf(tenant: TenantRef): Promise<unknown> {
  const { rows } = await test.source.superuser.query(
    `SELECT c.relname, a.privilege_type FROM pg_class c, aclexplode(c.relacl) a
     WHERE c.relnamespace = to_regnamespace($1) AND a.grantee = $1::regrole
     UNION ALL SELECT c.relname || '.' || t.attname, a.privilege_type
     FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid, aclexplode(t.attacl) a
     WHERE c.relnamespace = to_regnamespace($1) AND a.grantee = $1::regrole
     UNION ALL SELECT n.nspname, a.privilege_type FROM pg_namespace n, aclexplode(n.nspacl) a
     WHERE n.nspname = $1 AND a.grantee = $1::regrole ORDER BY 1, 2`,
    [tenant.id],
  );
  return rows;
}

describe('a pause of writes', () => {
  it('is kept by the database: every way to write is refused, reading goes on, and neighbours write', async () => {
    const [{ here }, neighbour] = [await test.newMover(), await test.newMover()];
    await addProject(here, 'before');
    await test.sessions(here, async ({ source }) => {
      await pauseWrites(source, here.id);
      await writersEnded(source, here.id, 1_000);
      const refused = { code: '42501' };
      await expect(addProject(here, 'during')).rejects.toMatchObject(refused);
      await expect(write(here, `UPDATE projects SET name = 'changed'`)).rejects.toMatchObject(refused);
      await expect(write(here, `DELETE FROM idempotency_keys`)).rejects.toMatchObject(refused);
      const shared = { code: 'WX001' };
      await expect(write(here, `INSERT INTO audit.outbox (event) VALUES ('x')`)).rejects.toMatchObject(
        shared,
      );
      const order = 'INSERT INTO work.runs (run_id) VALUES (gen_random_uuid())';
      await expect(write(here, order)).rejects.toMatchObject(shared);
      expect(await read(here)).toEqual([{ name: 'before' }]);
      await addProject(neighbour.here, 'all the while');
      await write(neighbour.here, order);
    });
  });

  it('gives back exactly what it took, column by column, and takes nothing twice', async () => {
    const { here } = await test.newMover();
    const { superuser } = test.source;
    await superuser.query(`REVOKE UPDATE ON "${here.id}".agents FROM "${here.id}"`);
    await superuser.query(`GRANT UPDATE (name, version) ON "${here.id}".agents TO "${here.id}"`);
    const before = await grantsOf(here);
    await test.sessions(here, async ({ source }) => {
      await pauseWrites(source, here.id);
      expect(await grantsOf(here)).not.toEqual(before);
      await expect(pauseWrites(source, here.id)).rejects.toThrow('paused already');
      await stopReads(source, here.id);
      await expect(read(here)).rejects.toThrow('does not exist');
      expect(await inOneTransaction(source, () => resumeWrites(source, here.id))).toBe(true);
      expect(await inOneTransaction(source, () => resumeWrites(source, here.id))).toBe(false);
    });
    expect(await grantsOf(here)).toEqual(before);
    await addProject(here, 'after');
    expect(await read(here)).toEqual([{ name: 'after' }]);
  });

  it('is no pause where the role can write by way of another, and says so', async () => {
    const { here } = await test.newMover();
    await test.source.superuser.query(`GRANT UPDATE (name) ON "${here.id}".projects TO waxell_tenant`);
    await test.sessions(here, async ({ source }) => {
      await expect(pauseWrites(source, here.id)).rejects.toThrow('can still write to projects');
    });
    await addProject(here, 'as before');
  });

  it.each([
    ['a table', insertProject('early').text, insertProject('early').values],
    ['the outbox alone', `INSERT INTO audit.outbox (event) VALUES ('x')`, []],
  ])(
    'waits for the transaction that has written to %s before it, and for no other',
    async (_what, text, values) => {
      const [{ here }, neighbour] = [await test.newMover(), await test.newMover()];
      const [end, begun] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const running = (tenant: TenantRef, sql: string, parameters: unknown[], until: Promise<void>) =>
        test.database.within(tenant, () =>
          test.transactions.run(async () => {
            await test.database.query({ text: sql, values: parameters });
            begun.resolve();
            await until;
          }),
        );
      const never = Promise.withResolvers<void>();
      const other = running(neighbour.here, text, values, never.promise);
      const early = running(here, text, values, end.promise);
      await begun.promise;
      await sleep(100);
      await test.sessions(here, async ({ source }) => {
        await pauseWrites(source, here.id);
        await expect(writersEnded(source, here.id, 150)).rejects.toThrow(WriterDidNotEnd);
        const ended = writersEnded(source, here.id, 5_000);
        end.resolve();
        await ended;
      });
      await early;
      never.resolve();
      await other;
      await test.source.superuser.query('DELETE FROM audit.outbox');
    },
  );
});

describe('a copy', () => {
  const random = fc.array(
    fc.record({
      id: fc.uuid(),
      name: fc.string().map((text) => text.replaceAll('\0', '')),
      description: fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\0', '')),
      version: fc.integer({ min: 1, max: 3 }),
    }),
    { maxLength: 12 },
  );

  async function fill(side: 'source' | 'target', { id }: TenantRef, rows: readonly object[]): Promise<void> {
    await test[side].superuser.query(
      `INSERT INTO "${id}".projects (id, name, description, version, created_by)
       SELECT id, name, description, version, 'x' FROM jsonb_to_recordset($1) r(id uuid, name text, description text, version int)
       ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name, version = EXCLUDED.version`,
      [JSON.stringify(rows)],
    );
  }
  const contentOf = async (side: 'source' | 'target', { id }: TenantRef): Promise<unknown> =>
    (await test[side].superuser.query(`SELECT p::text FROM "${id}".projects p ORDER BY id`)).rows;

  it('ends as its source, whatever either side has to begin with', async () => {
    const { here } = await test.newMover();
    await test.sessions(here, async (sessions) => {
      const tables = await tablesOf(sessions.source, here.id);
      await fc.assert(
        fc.asyncProperty(random, random, fc.boolean(), async (wanted, found, exactly) => {
          for (const side of ['source', 'target'] as const)
            await test[side].superuser.query(`DELETE FROM "${here.id}".projects`);
          await fill('source', here, wanted);
          await fill('target', here, found);
          const counts = await (exactly ? reconcileExactly : reconcile)(sessions, tables);
          expect(await contentOf('target', here)).toEqual(await contentOf('source', here));
          expect(counts['projects']).toBe(((await contentOf('source', here)) as unknown[]).length);
        }),
        { numRuns: 40 },
      );
    });
  });

  it('that something alters on its way is refused', async () => {
    const { here } = await test.newMover();
    await addProject(here, 'as it is');
    // Fires for the mover too, which switches ordinary triggers off.
    await test.target.superuser.query(
      `CREATE FUNCTION "${here.id}".alter_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := 'altered'; RETURN NEW; END $$;
       CREATE TRIGGER alter_it BEFORE INSERT ON "${here.id}".projects FOR EACH ROW EXECUTE FUNCTION "${here.id}".alter_it();
       ALTER TABLE "${here.id}".projects ENABLE ALWAYS TRIGGER alter_it`,
    );
    await test.sessions(here, async (sessions) => {
      const tables = await tablesOf(sessions.source, here.id);
      await expect(reconcileExactly(sessions, tables)).rejects.toThrow(CopyDiffers);
    });
  });

  it('of a table that refers to others comes before or after them', async () => {
    const { here } = await test.newMover();
    const { superuser } = test.source;
    await superuser.query(
      `WITH p AS (INSERT INTO "${here.id}".projects (id, name, created_by) VALUES (gen_random_uuid(), 'p', 'x') RETURNING id)
       INSERT INTO "${here.id}".agents (id, project_id, name, definition, created_by) SELECT gen_random_uuid(), id, 'a', '{}', 'x' FROM p`,
    );
    await test.sessions(here, async (sessions) => {
      const tables = await tablesOf(sessions.source, here.id);
      const agents = tables.find(({ name }) => name === 'agents');
      if (!agents) throw new Error('There are no agents.');
      expect(await copyTable(sessions, agents)).toBe(1);
      expect((await reconcileExactly(sessions, tables))['projects']).toBe(1);
    });
  });

  it('knows every table in which several tenants have rows: each is moved, or says why not', async () => {
    const moved = [
      'audit.checkpoints',
      'audit.cold',
      'audit.dead_letters',
      'audit.delivered',
      'audit.deliveries',
      'audit.events',
      'audit.exports',
      'audit.heads',
      'audit.outbox',
      'audit.published',
      'work.alerts',
      'work.runs',
    ];
    // Who has asked for a link within the minute of a move asks again.
    const givenUp = ['work.password_resets'];
    // The target makes its own of the log.
    const madeAnew = [
      'audit.indexed',
      'audit.looked_at',
      'audit.postings',
      'audit.progress',
      'audit.rechecked',
      'audit.tiles',
      'audit.unstored',
    ];
    // The registry's, which does not move; of those who are purged; of the cell.
    const notMoved = [
      'audit.closed',
      'audit.restores',
      'control.customer_keys',
      'control.domains',
      'control.log_retention',
      'control.notices',
      'control.operations',
      'control.slugs',
      'control.key_schedules',
      'control.write_pauses',
    ];
    const { rows } = await test.source.superuser.query<{ name: string }>(
      `SELECT c.table_schema || '.' || c.table_name AS name FROM information_schema.columns c
       WHERE (c.column_name = 'tenant' OR (c.column_name = 'log' AND c.table_schema = 'audit')) AND c.table_schema NOT LIKE 't\\_%' AND c.table_schema <> 'queue'
         AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass(c.table_schema || '.' || c.table_name)) ORDER BY 1`,
    );
    expect(rows.map(({ name }) => name).sort()).toEqual(
      [...moved, ...givenUp, ...madeAnew, ...notMoved].sort(),
    );
  });
});
