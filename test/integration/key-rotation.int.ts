import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { UserEntity } from '../../src/auth/index.js';
import { nameOf, sealedColumns } from '../../src/encryption/sealed-columns.js';
import '../../src/app.module.js';
import type { TenantRef } from '../../src/platform/database/index.js';
import { startFakeKms, type FakeKms } from '../fakes/kms.js';
import { clientOf, startKeyProcess, type KeyProcess } from '../support/key-process.js';
import {
  addUser,
  census,
  found,
  inTenant,
  newKeyTenant,
  rename,
  rotatedBy,
  stepsTaken,
} from '../support/key-tenants.js';
import { openTestDatabase, type TestDatabase } from '../support/test-database.js';

const PLACE = { table: 'users', column: 'email', row: 'r1' };

let db: TestDatabase;
let fake: FakeKms;
let one: KeyProcess;
let two: KeyProcess;

beforeAll(async () => {
  db = await openTestDatabase();
});
afterAll(() => db.close());
beforeEach(async () => {
  fake = await startFakeKms();
  one = await startKeyProcess(db.url, clientOf(fake));
  two = await startKeyProcess(db.url, clientOf(fake));
});
afterEach(async () => {
  await Promise.all([one.close(), two.close()]);
  await fake.close();
  await db.superuser.query('DELETE FROM control.operations');
});
const newTenant = (): Promise<TenantRef> => newKeyTenant(db, one);
const rotated = (tenant: TenantRef): Promise<void> => rotatedBy(one, tenant);

describe('a rotation', () => {
  it('brings every stored value under the new key, and the neighbour’s values under none', async () => {
    const [tenant, neighbour] = [await newTenant(), await newTenant()];
    for (const owner of [tenant, neighbour]) {
      for (let at = 0; at < 30; at += 1) await addUser(one, owner, `u${at}@example.com`);
      const key = randomUUID().replaceAll('-', '');
      const place = { table: 'idempotency_keys', column: 'response', row: key };
      const response = await one.fields.sealJson(owner, place, { kept: true });
      await inTenant(one, owner, () =>
        one.database.query({
          text: 'INSERT INTO idempotency_keys (key_hash, request_hash, response) VALUES ($1, $1, $2)',
          values: [Buffer.from(key, 'hex'), response],
        }),
      );
    }
    const [before, apart] = [await census(db, tenant), await census(db, neighbour)];
    await rotated(tenant);
    const after = await census(db, tenant);
    expect([...before.sealedBy.values(), ...after.sealedBy.values()]).toEqual([61, 61]);
    expect([...after.sealedBy.keys()]).not.toEqual([...before.sealedBy.keys()]);
    expect(await census(db, neighbour)).toEqual(apart);
    for (const process of [one, two])
      for (let at = 0; at < 30; at += 1)
        expect(await found(process, tenant, `u${at}@example.com`)).toMatch(/ u\d+@example\.com$/);
    const { rows } = await db.superuser.query(
      `SELECT count(*) FILTER (WHERE email_index IS NULL)::int AS emptied, count(email_index_alt)::int AS filled FROM "${tenant.id}".users`,
    );
    expect(rows).toEqual([{ emptied: 30, filled: 30 }]);
  });

  it('fails no read, no write and no lookup of either process, and keeps e-mail addresses unique', async () => {
    const tenant = await newTenant();
    const emails = Array.from({ length: 40 }, (_, at) => `early${at}@example.com`);
    const ids: string[] = [];
    for (const email of emails) ids.push(await addUser(one, tenant, email));
    const names = new Map<string, string>();
    fake.delay(20);
    const stop = new AbortController();
    let done = 0;
    const failures: unknown[] = [];
    const load = async (process: KeyProcess, name: string): Promise<void> => {
      for (let at = 0; !stop.signal.aborted; at += 1) {
        try {
          const email = `${name}${at}@example.com`;
          emails.push(email);
          await addUser(process, tenant, email);
          const old = emails[Math.floor(Math.random() * emails.length)] ?? email;
          if (old.startsWith('early') || old === email)
            expect(await found(process, tenant, old)).toContain(old);
          const twice = addUser(process, tenant, 'early7@example.com');
          await expect(twice).rejects.toMatchObject({ driverError: { code: '23505' } });
          const own =
            ids[Math.floor(Math.random() * 10) * 4 + ['one', 'uno', 'two', 'due'].indexOf(name)] ?? '';
          await rename(process, tenant, own, `${name} ${at}`);
          names.set(own, `${name} ${at}`);
          done += 1;
        } catch (error) {
          failures.push(error);
        }
      }
    };
    const loads = [load(one, 'one'), load(one, 'uno'), load(two, 'two'), load(two, 'due')];
    await sleep(200);
    await rotated(tenant);
    const between = done;
    await rotated(tenant);
    stop.abort();
    await Promise.all(loads);
    expect(failures).toEqual([]);
    expect(between).toBeGreaterThan(10);
    expect(done).toBeGreaterThan(between);
    await rotated(tenant);
    const { sealedBy } = await census(db, tenant);
    expect([...sealedBy.values()]).toEqual([2 * emails.length]);
    for (const email of emails) expect(await found(two, tenant, email)).toContain(email);
    const users = await one.database.within(tenant, () => one.database.repository(UserEntity).find());
    const now = new Map(users.map(({ id, displayName }) => [id, displayName?.reveal()]));
    for (const [id, name] of names) expect(now.get(id)).toBe(name);
  });

  it('leaves a value alone that was changed since it was read', async () => {
    const [tenant, neighbour] = [await newTenant(), await newTenant()];
    for (const owner of [tenant, neighbour]) await addUser(one, owner, 'a@example.com', { ofBefore: true });
    const column = sealedColumns().find((known) => nameOf(known) === 'users.display_name');
    if (!column) throw new Error('There is no such column.');
    const { stale } = await one.sealedRows.page(tenant, column, Buffer.alloc(16), undefined);
    expect(stale).toHaveLength(1);
    const id = String(stale[0]?.key[0]);
    await rename(two, tenant, id, 'a new name');
    const replaced = stale.map((value) => ({ ...value, rewrapped: Buffer.from('overwritten') }));
    expect(await one.sealedRows.replace(tenant, column, replaced)).toBe(0);
    const user = await one.database.within(tenant, () =>
      one.database.repository(UserEntity).findOneByOrFail({ id }),
    );
    expect(user.displayName?.reveal()).toBe('a new name');
  });

  it('meets values that were on their way when the key was replaced', async () => {
    const deaf = await startKeyProcess(db.url, clientOf(fake), { working: false, deaf: true });
    try {
      const [tenant, neighbour] = [await newTenant(), await newTenant()];
      const sealed = (owner: TenantRef, key: Buffer): Promise<Buffer> =>
        deaf.fields.sealJson(
          owner,
          { table: 'idempotency_keys', column: 'response', row: key.toString('hex') },
          'an answer',
        );
      const store = (owner: TenantRef, key: Buffer, answer: Buffer): Promise<unknown> =>
        inTenant(deaf, owner, () =>
          deaf.database.query({
            text: 'INSERT INTO idempotency_keys (key_hash, request_hash, response) VALUES ($1, $1, $2)',
            values: [key, answer],
          }),
        );
      const [early, key] = [Buffer.alloc(16, 6), Buffer.alloc(16, 7)];
      for (const owner of [tenant, neighbour]) await store(owner, early, await sealed(owner, early));
      const late = await sealed(tenant, key);
      const rewrapping = await stepsTaken(one, tenant, 'version');
      const [first, signal] = [{ ...rewrapping }, new AbortController().signal];
      const pass = await one.steps['rewrap']?.(first, signal);
      expect(pass).toMatchObject({ again: expect.any(Number) as number });
      await store(tenant, key, late);
      expect((await census(db, tenant)).sealedBy.size).toBe(2);
      await stepsTaken(one, tenant, 'retire', first);
      expect([...(await census(db, tenant)).sealedBy.values()]).toEqual([2]);
    } finally {
      await deaf.close();
    }
  });

  it('ends all the same where an e-mail address was damaged, counts it once, and finds everybody else', async () => {
    const [tenant, neighbour] = [await newTenant(), await newTenant()];
    const damaged = await addUser(one, tenant, 'damaged@example.com');
    for (const owner of [tenant, neighbour]) await addUser(one, owner, 'ann@example.com');
    // Its last byte, and so still under the person's key; and one of which hardly anything is left.
    await db.superuser.query(
      `UPDATE "${tenant.id}".users SET email = set_byte(email, length(email) - 1, get_byte(email, length(email) - 1) # 1) WHERE id = $1`,
      [damaged],
    );
    const short = await addUser(one, tenant, 'short@example.com');
    await db.superuser.query(`UPDATE "${tenant.id}".users SET email = '\\x01' WHERE id = $1`, [short]);
    for (let rotation = 0; rotation < 2; rotation += 1) {
      await rotated(tenant);
      const [last] = await one.operations.ofTenant(tenant.id, 1);
      // The damaged one keeps its index of two keys before, and is not looked at for another.
      expect(last).toMatchObject({ status: 'done', data: { unreadable: rotation === 0 ? 2 : 1 } });
      expect(await found(two, tenant, 'ann@example.com')).toContain('ann@example.com');
      await addUser(two, tenant, `late${rotation}@example.com`);
    }
    expect(await found(two, neighbour, 'ann@example.com')).toContain('ann@example.com');
  });

  const uses: Record<
    string,
    (deaf: KeyProcess, tenant: TenantRef, rest: () => Promise<unknown>) => Promise<void>
  > = {
    'reads what is sealed with the new key': async (deaf, tenant) => {
      const sealed = await one.fields.sealJson(tenant, PLACE, 'value');
      expect(await deaf.fields.openJson(tenant, PLACE, sealed)).toBe('value');
    },
    'finds whom it found before': async (deaf, tenant) => {
      expect(await found(deaf, tenant, 'early@example.com')).toContain('early@example.com');
    },
    'finds whom it found before, by keys that it holds meanwhile': async (deaf, tenant) => {
      const look = (): Promise<string[]> =>
        deaf.lookup.select(UserEntity, 'email', 'early@example.com', { limit: 2 });
      expect(await inTenant(deaf, tenant, () => deaf.lookup.held(look))).toHaveLength(1);
    },
    'adds nobody a second time': async (deaf, tenant) => {
      const twice = addUser(deaf, tenant, 'early@example.com');
      await expect(twice).rejects.toMatchObject({ driverError: { code: '23505' } });
    },
    'adds somebody whom everybody finds, then and in the end': async (deaf, tenant, rest) => {
      await addUser(deaf, tenant, 'late@example.com');
      expect(await found(one, tenant, 'late@example.com')).toContain('late@example.com');
      await rest();
      expect(await found(two, tenant, 'late@example.com')).toContain('late@example.com');
    },
  };

  describe.each(Object.entries(uses))('a process that has heard of nothing', (what, use) => {
    it(`${what}, whichever step was the last`, async () => {
      const deaf = await startKeyProcess(db.url, clientOf(fake), { working: false, deaf: true });
      try {
        const neighbour = await newTenant();
        await addUser(deaf, neighbour, 'early@example.com');
        for (const last of ['version', 'rewrap', 'fill', 'switch', 'clear', 'retire']) {
          const tenant = await newTenant();
          await addUser(deaf, tenant, 'early@example.com');
          const next = await stepsTaken(one, tenant, last);
          await use(deaf, tenant, () => stepsTaken(one, tenant, 'retire', next));
        }
        await use(deaf, neighbour, () => Promise.resolve());
        expect((await census(db, neighbour)).states).toEqual(['field current', 'index current']);
      } finally {
        await deaf.close();
      }
    });
  });
});
