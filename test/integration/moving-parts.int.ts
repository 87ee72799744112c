import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AwsKms, FileObjectStore, LocalKms } from '@waxell/infra';
import fc from 'fast-check';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canonicalEvent, newEventId } from '../../src/audit/audit-event.js';
import { LogClosed } from '../../src/audit/append-group.js';
import { AuditLog } from '../../src/audit/audit-log.js';
import { MoveLog } from '../../src/audit/move-log.js';
import type { FieldEncryption } from '../../src/encryption/field-encryption.js';
import { KeyRing } from '../../src/encryption/key-ring.js';
import { KeySchedules } from '../../src/encryption/key-schedules.js';
import { KEY_TIMES } from '../../src/encryption/key-times.js';
import { CellKms } from '../../src/encryption/kms.js';
import { MoveKeys } from '../../src/encryption/move-keys.js';
import { NewKeyVersions } from '../../src/encryption/new-key-version.js';
import { SubjectKeys } from '../../src/encryption/subject-keys.js';
import type { Feed, TenantRef } from '../../src/platform/database/index.js';
import { type MoveSessions } from '../../src/platform/database/moving/index.js';
import {
  CellObjects,
  MoveObjects,
  RetainedObjects,
  TenantObjects,
  type ObjectStore,
} from '../../src/platform/objects/index.js';
import { Log } from '../../src/platform/observability/log.js';
import { startFakeKms } from '../fakes/kms.js';
import { verifierOf } from '../support/log-parts.js';
import { fieldsOf } from '../support/sealing.js';
import { openTestCells, type TestCells } from '../support/test-cells.js';

let test: TestCells;
beforeAll(async () => {
  test = await openTestCells();
});
afterAll(() => test.close());

const write = (tenant: TenantRef, text: string, values: unknown[] = []): Promise<unknown> =>
  test.database.within(tenant, () => test.transactions.run(() => test.database.query({ text, values })));
/** Nobody announces anything here. */
const FEED = { subscribe: () => () => undefined, reliable: () => true } as unknown as Feed;
const ringOf = (kms: CellKms): KeyRing =>
  new KeyRing(test.database, kms, FEED, new KeySchedules(test.cells), KEY_TIMES, new Log('silent'));

const fieldsFrom = (keys: KeyRing, kms: CellKms): FieldEncryption =>
  fieldsOf({
    keys,
    subjects: new SubjectKeys(keys, test.database, FEED, KEY_TIMES, new Log('silent')),
    kms,
  }).fields;

describe('the log of a tenant that moves', () => {
  const EVENT = { action: 'agent.read', actor: { type: 'user', id: 'a' }, outcome: 'success' } as const;
  const event = (tenant: TenantRef) => canonicalEvent(newEventId(), tenant, EVENT, undefined);

  async function movedLog(sessions: MoveSessions, mover: MoveLog, here: TenantRef): Promise<void> {
    while (!(await mover.copy(sessions, here.id)).complete);
    const head = await mover.close(sessions.source, here.id);
    await mover.finish(sessions, here, head);
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

  it('takes along what was exported of it and which notices it has had, once; its index is made anew', async () => {
    const [{ here, there }, neighbour] = [await test.newMover(), await test.newMover()];
    const log = new AuditLog(test.cells);
    const mover = new MoveLog(log);
    const notice = event(here);
    for (const tenant of [here, neighbour.here]) {
      await log.append(tenant, event(tenant));
      await test.source.superuser.query(
        `WITH i AS (INSERT INTO audit.indexed (tenant, block, period) VALUES ($1, 0, 1)),
           p AS (INSERT INTO audit.postings (tenant, period, block, bucket, entries) VALUES ($1, 1, 0, 7, ''))
         INSERT INTO audit.exports (id, tenant, format, filter, first, last, status, sha256, expires_at)
         VALUES (gen_random_uuid(), $1, 'csv', 'sealed', 1, 1, 'READY', sha256('x'), now() + interval '1 day')`,
        [tenant.id],
      );
    }
    await log.appendOnce(here, notice.bytes);
    await test.sessions(here, async (sessions) => {
      await movedLog(sessions, mover, here);
      await mover.remove(sessions.source, here.id);
    });
    // Told once more, as by a process that has died before it noted that.
    await log.appendOnce(there, notice.bytes);
    expect(await verifierOf(test.cells, log).execute(there)).toMatchObject({ valid: true, checked: 2 });
    const counted = async (database: typeof test.source): Promise<Record<string, unknown>[]> =>
      (
        await database.superuser.query<Record<string, unknown>>(
          `SELECT t AS tenant, (SELECT count(*)::int FROM audit.exports WHERE tenant = t) AS exports,
             (SELECT count(*)::int FROM audit.delivered WHERE tenant = t) AS notices,
             (SELECT count(*)::int FROM audit.indexed WHERE tenant = t)
               + (SELECT count(*)::int FROM audit.postings WHERE tenant = t) AS index
           FROM unnest($1::text[]) t`,
          [[here.id, neighbour.here.id]],
        )
      ).rows;
    const nothing = { exports: 0, notices: 0, index: 0 };
    expect(await counted(test.target)).toEqual([
      { tenant: here.id, exports: 1, notices: 1, index: 0 },
      { tenant: neighbour.here.id, ...nothing },
    ]);
    expect(await counted(test.source)).toEqual([
      { tenant: here.id, ...nothing },
      { tenant: neighbour.here.id, exports: 1, notices: 0, index: 2 },
    ]);
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
      const sealed = await fieldsFrom(ring, both).sealJson(here, place, 'a secret');
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
      const targets = new CellKms(new Map([['target', two]]));
      const alone = ringOf(targets);
      expect(await fieldsFrom(alone, targets).openJson(there, place, sealed)).toBe('a secret');
      expect(await indexOf(alone, there)).toEqual(index);
      const swapped = ringOf(new CellKms(new Map([['target', one]])));
      await expect(swapped.of(there)).rejects.toMatchObject({ cause: { code: 'key_not_found' } });
    } finally {
      for (const home of homes) await rm(home, { recursive: true });
    }
  });
});

describe('a key that a customer keeps, whose organisation moves to another region', () => {
  /** A tenant of the source whose keys are under a customer's key, and what it has sealed. */
  async function underCustomersKey(kms: CellKms, kmsKeyId: string) {
    const { here, there } = await test.newMover();
    const ring = ringOf(kms);
    for (const { text, values } of await ring.provision(here)) await write(here, text, [...values]);
    const under = { kmsKeyId, custody: 'customer' } as const;
    const version = await new NewKeyVersions(ring, kms).next(here, uuidv7(), uuidv7(), under);
    for (const { text, values } of version?.statements ?? []) await write(here, text, [...values]);
    await ring.reread(here);
    const sealed = await fieldsFrom(ring, kms).sealJson(here, PLACE, 'a secret');
    const route = { tenant: here.id, from: 'source', to: 'target', kmsKey: '' };
    return { here, there, sealed, route };
  }
  const PLACE = { table: 'users', column: 'email', row: 'r1' };

  it('opens by the related key of that region; without one, and for any other key, the move gets no further', async () => {
    const fake = await startFakeKms({ everyRegion: true });
    const { endpoint, credentials } = fake;
    const [one, two] = [fake.region, 'us-east-1'].map(
      (region) => new AwsKms({ region, endpoint, credentials }),
    ) as [AwsKms, AwsKms];
    const both = new CellKms(
      new Map([
        ['source', one],
        ['target', two],
      ]),
    );
    const related = fake.newKey({ multiRegion: true });
    const replica = fake.replicate(related, 'us-east-1');
    const keys = new MoveKeys(both);
    try {
      for (const without of [fake.newKey(), fake.newKey({ multiRegion: true })]) {
        const { here, route } = await underCustomersKey(both, without);
        await test.sessions(here, async (sessions) => {
          await expect(
            keys.rewrap(sessions, { ...route, kmsKey: await keys.newKey(here.id, 'target') }),
          ).rejects.toMatchObject({ code: 'key_not_found' });
        });
      }
      const { here, there, sealed, route } = await underCustomersKey(both, related);
      await test.sessions(here, async (sessions) => {
        await keys.rewrap(sessions, { ...route, kmsKey: await keys.newKey(here.id, 'target') });
      });
      const targets = new CellKms(new Map([['target', two]]));
      const alone = ringOf(targets);
      expect(await fieldsFrom(alone, targets).openJson(there, PLACE, sealed)).toBe('a secret');
      expect(await alone.of(there)).toMatchObject({ kmsKeyId: replica, custody: 'customer' });
      // What becomes of the other region's key is nothing to this one.
      fake.setState(related, 'Disabled');
      expect(await fieldsFrom(ringOf(targets), targets).openJson(there, PLACE, sealed)).toBe('a secret');
    } finally {
      await fake.close();
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
