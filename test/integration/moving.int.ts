import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FileObjectStore, LocalKms } from '@waxell/infra';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canonicalEvent, newEventId } from '../../src/audit/audit-event.js';
import { LogClosed } from '../../src/audit/append-group.js';
import { AuditLog } from '../../src/audit/audit-log.js';
import { MoveLog } from '../../src/audit/move-log.js';
import { FieldEncryption } from '../../src/encryption/field-encryption.js';
import { KeyRing } from '../../src/encryption/key-ring.js';
import { KeySchedules } from '../../src/encryption/key-schedules.js';
import { KEY_TIMES } from '../../src/encryption/key-times.js';
import { CellKms } from '../../src/encryption/kms.js';
import { MoveKeys } from '../../src/encryption/move-keys.js';
import type { Feed, TenantRef } from '../../src/platform/database/index.js';
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
  type MoveSessions,
} from '../../src/platform/database/moving/index.js';
import {
  CellObjects,
  MoveObjects,
  RetainedObjects,
  TenantObjects,
  type ObjectStore,
} from '../../src/platform/objects/index.js';
import { Log } from '../../src/platform/observability/log.js';
import { verifierOf } from '../support/log-parts.js';
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

/** Nobody announces anything here. */
const FEED = { subscribe: () => () => undefined, reliable: () => true } as unknown as Feed;
const ringOf = (kms: CellKms): KeyRing =>
  new KeyRing(test.database, kms, FEED, new KeySchedules(test.cells), KEY_TIMES, new Log('silent'));

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
      'audit.deliveries',
      'audit.events',
      'audit.heads',
      'audit.outbox',
      'work.alerts',
      'work.runs',
    ];
    // The target makes its own of the log.
    const madeAnew = ['audit.looked_at', 'audit.progress', 'audit.tiles'];
    // The registry's, which does not move; of those who are purged; of the cell.
    const notMoved = [
      'audit.closed',
      'audit.restores',
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
    expect(rows.map(({ name }) => name).sort()).toEqual([...moved, ...madeAnew, ...notMoved].sort());
  });
});

describe('the log of a tenant that moves', () => {
  const EVENT = { action: 'agent.read', actor: { type: 'user', id: 'a' }, outcome: 'success' } as const;
  const event = (tenant: TenantRef) => canonicalEvent(newEventId(), tenant, EVENT, undefined);

  async function movedLog(sessions: MoveSessions, mover: MoveLog, here: TenantRef): Promise<void> {
    while (!(await mover.copy(sessions, here.id)).complete);
    const head = await mover.close(sessions.source, here.id);
    await mover.finish(sessions, here.id, head);
  }

  it('goes on where it was: the same chain, and a neighbour’s events of the same moment are kept', async () => {
    const { here, there } = await test.newMover();
    const neighbour = (await test.newMover()).here;
    const log = new AuditLog(test.cells);
    const mover = new MoveLog(log);
    for (let at = 0; at < 20; at += 1) await log.append(here, event(here));
    await test.sessions(here, async (sessions) => {
      expect(await mover.copy(sessions, here.id)).toEqual({ events: 20, complete: true });
      await log.append(here, event(here));
      await movedLog(sessions, mover, here);
    });
    // One group: what is refused of one tenant is nothing to the other.
    const [refused, kept] = await Promise.allSettled([
      log.append(here, event(here)),
      log.append(neighbour, event(neighbour)),
    ]);
    expect(refused).toMatchObject({ status: 'rejected', reason: expect.any(LogClosed) as unknown });
    expect(kept.status).toBe('fulfilled');
    // Another process, which remembers no head at all.
    await expect(new AuditLog(test.cells).append(here, event(here))).rejects.toThrow(LogClosed);
    await log.append(there, event(there));
    expect(await verifierOf(test.cells, log).execute(there)).toMatchObject({ valid: true, checked: 22 });
    await expect(verifierOf(test.cells, log).execute(here)).rejects.toThrow('is being moved');
  });

  it('takes along how far its destinations have come, and nobody else’s', async () => {
    const [{ here, there }, neighbour] = [await test.newMover(), await test.newMover()];
    const log = new AuditLog(test.cells);
    const mover = new MoveLog(log);
    for (let at = 0; at < 5; at += 1) await log.append(here, event(here));
    const id = '01890000-0000-7000-8000-000000000001';
    for (const tenant of [here.id, neighbour.here.id]) {
      const text = 'INSERT INTO audit.deliveries (tenant, destination, seq, refused) VALUES ($1, $2, 3, 1)';
      await test.source.superuser.query(text, [tenant, id]);
      await test.source.superuser.query(
        `INSERT INTO audit.dead_letters (tenant, destination, seq, reason) VALUES ($1, $2, 2, 'x')`,
        [tenant, id],
      );
    }
    await test.sessions(here, async (sessions) => {
      await movedLog(sessions, mover, here);
      await mover.remove(sessions.source, here.id);
    });
    const found = async (table: string, { superuser }: { superuser: typeof test.source.superuser }) =>
      (
        await superuser.query(`SELECT tenant, seq FROM audit.${table} WHERE tenant = ANY($1)`, [
          [there.id, neighbour.here.id],
        ])
      ).rows;
    expect(await found('deliveries', test.target)).toEqual([{ tenant: there.id, seq: '3' }]);
    expect(await found('dead_letters', test.target)).toEqual([{ tenant: there.id, seq: '2' }]);
    expect(await found('deliveries', test.source)).toEqual([{ tenant: neighbour.here.id, seq: '3' }]);
    expect(await found('dead_letters', test.source)).toEqual([{ tenant: neighbour.here.id, seq: '2' }]);
  });

  it('does not begin anew in a cell that the tenant has left', async () => {
    const { here } = await test.newMover();
    await test.source.provisioning.dropTenant({ ...here, cell: test.source.cells.home.name });
    await expect(new AuditLog(test.cells).append(here, event(here))).rejects.toThrow(LogClosed);
    const { rowCount } = await test.source.superuser.query('SELECT 1 FROM audit.heads WHERE tenant = $1', [
      here.id,
    ]);
    expect(rowCount).toBe(0);
  });

  it('can be opened again, and be closed once more', async () => {
    const { here } = await test.newMover();
    const log = new AuditLog(test.cells);
    const mover = new MoveLog(log);
    await log.append(here, event(here));
    await test.sessions(here, async ({ source }) => {
      await mover.close(source, here.id);
      await expect(log.append(here, event(here))).rejects.toThrow(LogClosed);
      await mover.reopen(source, here.id);
    });
    await log.append(here, event(here));
    expect(await verifierOf(test.cells, log).execute(here)).toMatchObject({ valid: true, checked: 2 });
  });
});

describe('the keys of a tenant that moves', () => {
  it('are the same under the other cell’s key service, which needs nothing of the first', async () => {
    const homes = await Promise.all([1, 2].map(() => mkdtemp(join(tmpdir(), 'waxell-kms-'))));
    try {
      const [first = '', second = ''] = homes;
      const [one, two] = [await LocalKms.open({ home: first }), await LocalKms.open({ home: second })];
      const both = new CellKms(
        new Map([
          ['source', one],
          ['target', two],
        ]),
      );
      const { here, there } = await test.newMover();
      const ring = ringOf(both);
      for (const { text, values } of await ring.provision(here)) await write(here, text, [...values]);
      const place = { table: 'users', column: 'email', row: 'r1' };
      const sealed = await new FieldEncryption(ring).sealJson(here, place, 'a secret');
      const indexOf = async (keys: KeyRing, tenant: TenantRef): Promise<Buffer[]> =>
        (await keys.of(tenant)).indexes.map(({ key }) => key.export());
      const index = await indexOf(ring, here);
      const keys = new MoveKeys(both);
      const route = {
        tenant: here.id,
        from: 'source',
        to: 'target',
        kmsKey: await keys.newKey(here.id, 'target'),
      };
      await test.sessions(here, async (sessions) => {
        expect(await keys.rewrap(sessions, route)).toBe(2);
        const wrapped = await keys.kmsKeysOf(sessions.target, here.id);
        expect(wrapped).toEqual([route.kmsKey]);
        // Nothing to do: the target's rows stay as they are.
        const rows = async (): Promise<unknown> =>
          (await sessions.target.query(`SELECT k::text FROM "${here.id}".encryption_keys k ORDER BY id`))
            .rows;
        const before = await rows();
        await keys.rewrap(sessions, route);
        expect(await rows()).toEqual(before);
      });
      const alone = ringOf(new CellKms(new Map([['target', two]])));
      expect(await new FieldEncryption(alone).openJson(there, place, sealed)).toBe('a secret');
      expect(await indexOf(alone, there)).toEqual(index);
      const swapped = ringOf(new CellKms(new Map([['target', one]])));
      await expect(swapped.of(there)).rejects.toMatchObject({ cause: { code: 'key_not_found' } });
    } finally {
      for (const home of homes) await rm(home, { recursive: true });
    }
  });
});

describe('the objects of a tenant that moves', () => {
  it('are those of its source in the end, whatever there was before, and a neighbour’s stay', async () => {
    const home = await mkdtemp(join(tmpdir(), 'waxell-objects-'));
    try {
      const stores = ['source', 'target'].map(
        (cell) => [cell, new FileObjectStore({ dir: join(home, cell) })] as const,
      );
      const cellObjects = new CellObjects(new Map<string, ObjectStore>(stores));
      const objects = new TenantObjects(cellObjects);
      const mover = new MoveObjects(objects, new RetainedObjects(test.cells, objects, cellObjects));
      const [{ here, there }, neighbour] = [await test.newMover(), await test.newMover()];
      await objects.put(neighbour.there, 'a', Buffer.from('neighbour'));
      const key = fc.stringMatching(/^[a-c]{1,2}(\/[a-c]){0,1}$/);
      await fc.assert(
        fc.asyncProperty(fc.uniqueArray(key), fc.uniqueArray(key), async (wanted, found) => {
          await mover.remove(here);
          await mover.remove(there);
          for (const name of wanted) await objects.put(here, name, Buffer.from(name));
          for (const name of found) await objects.put(there, name, Buffer.from(name));
          expect(await mover.copy(here, there, new AbortController().signal)).toBe(wanted.length);
          expect(await objects.list(there, { limit: 1_000 })).toEqual(wanted.toSorted());
          for (const name of wanted) expect(String(await objects.get(there, name))).toBe(name);
        }),
        { numRuns: 30 },
      );
      expect(await objects.list(neighbour.there, { limit: 10 })).toEqual(['a']);
    } finally {
      await rm(home, { recursive: true });
    }
  });
});
