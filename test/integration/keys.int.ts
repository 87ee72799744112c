import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { UserEntity } from '../../src/auth/index.js';
import { encryptedFields } from '../../src/encryption/encrypted.decorator.js';
import { nameOf, sealedColumns } from '../../src/encryption/sealed-columns.js';
import { Sealed } from '../../src/encryption/sealed.js';
import '../../src/app.module.js';
import type { Operation, OperationData } from '../../src/operations/index.js';
import type { TenantRef } from '../../src/platform/database/index.js';
import { startFakeKms, type FakeKms } from '../fakes/kms.js';
import { eventually } from '../support/eventually.js';
import { clientOf, startKeyProcess, type KeyProcess } from '../support/key-process.js';
import { openTestDatabase, type TestDatabase } from '../support/test-database.js';

const WAIT_MS = 30_000;
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

/** A tenant as the registry has it, with its keys. */
async function newTenant(): Promise<TenantRef> {
  const tenant = await db.newTenant();
  await db.superuser.query(
    `INSERT INTO control.tenants (id, slug, name, region, cell, status) VALUES ($1, $2, 'x', $3, $4, 'active')`,
    [tenant.id, `s${tenant.id.slice(2)}`, tenant.region, tenant.cell],
  );
  const statements = await one.keys.provision(tenant);
  await inTenant(one, tenant, async () => {
    for (const statement of statements) await one.database.query(statement);
  });
  return tenant;
}

const inTenant = <T>(process: KeyProcess, tenant: TenantRef, work: () => Promise<T>): Promise<T> =>
  process.database.within(tenant, () => process.work.bookkeeping('a test', work));

async function addUser(process: KeyProcess, tenant: TenantRef, email: string): Promise<string> {
  return inTenant(process, tenant, async () => {
    const users = process.database.repository(UserEntity);
    const id = uuidv7();
    const displayName = Sealed.of(`name of ${email}`);
    await users.insert(
      users.create({ id, email: Sealed.of(email), displayName, role: 'Viewer', status: 'active', epoch: 0 }),
    );
    return id;
  });
}

const rename = (process: KeyProcess, tenant: TenantRef, id: string, name: string): Promise<unknown> =>
  inTenant(process, tenant, async () => {
    const user = await process.database.repository(UserEntity).findOneByOrFail({ id });
    user.displayName = Sealed.of(name);
    return process.database.repository(UserEntity).save(user);
  });

const found = (process: KeyProcess, tenant: TenantRef, email: string): Promise<string | undefined> =>
  process.database.within(tenant, async () => {
    const user = await process.lookup.findOne(UserEntity, 'email', email);
    return user ? `${user.id} ${user.email.reveal()}` : undefined;
  });

const rotation = (tenant: TenantRef): Promise<string> =>
  one.registry.bookkeeping('a test', tenant.id, (registry) => one.rotate.begin(registry, tenant.id, 'asked'));

async function rotated(tenant: TenantRef): Promise<void> {
  const id = await rotation(tenant);
  one.runner.nudge();
  await eventually(
    async () => expect(await one.operations.byId(tenant.id, id)).toMatchObject({ status: 'done' }),
    WAIT_MS,
  );
}

/** Takes the steps of a rotation up to the last one, by hand; answers what follows. */
async function stepsTaken(tenant: TenantRef, last: string, from?: Operation): Promise<Operation> {
  let [step, data]: [string, OperationData] = from
    ? [from.step, from.data]
    : ['version', { kek: uuidv7(), index: uuidv7() }];
  for (;;) {
    const operation = { tenant: tenant.id, step, data } as unknown as Operation;
    const result = await one.steps[step]?.(operation, new AbortController().signal);
    if (result === undefined) throw new Error(`There is no step ${step}.`);
    if (result === 'done') return operation;
    data = result.data ?? data;
    if (!('next' in result)) continue;
    if (step === last) return { ...operation, step: result.next, data };
    step = result.next;
  }
}

/** How many stored values of a tenant each key has sealed, and in which state the keys are. */
async function census({ id }: TenantRef): Promise<{ states: string[]; sealedBy: Map<string, number> }> {
  const { rows: keys } = await db.superuser.query<{ purpose: string; state: string }>(
    `SELECT purpose, state FROM "${id}".encryption_keys ORDER BY purpose, id`,
  );
  const sealedBy = new Map<string, number>();
  for (const { schema, table, column } of sealedColumns()) {
    if (schema) continue;
    const { rows } = await db.superuser.query<{ kek: string; n: number }>(
      `SELECT encode(substring(${column} from 3 for 16), 'hex') AS kek, count(*)::int AS n
       FROM "${id}".${table} WHERE ${column} IS NOT NULL GROUP BY 1`,
    );
    for (const { kek, n } of rows) sealedBy.set(kek, (sealedBy.get(kek) ?? 0) + n);
  }
  return { states: keys.map(({ purpose, state }) => `${purpose} ${state}`), sealedBy };
}

describe('the keys of a tenant', () => {
  it('cost one call to the KMS, however many write at once; and none from then on', async () => {
    const [tenant, neighbour] = [await newTenant(), await newTenant()];
    const before = fake.count();
    const sealed = await Promise.all(
      Array.from({ length: 1_000 }, (_, at) => two.fields.sealJson(tenant, { ...PLACE, row: `r${at}` }, at)),
    );
    expect(fake.count() - before).toBe(1);
    await Promise.all(
      sealed.map(async (value, at) =>
        expect(await two.fields.openJson(tenant, { ...PLACE, row: `r${at}` }, value)).toBe(at),
      ),
    );
    await addUser(two, tenant, 'a@example.com');
    expect(fake.count() - before).toBe(1);
    await two.fields.sealJson(neighbour, PLACE, 1);
    expect(fake.count() - before).toBe(2);
  });

  it('cost one call after rotations too, and open what each of them has sealed', async () => {
    const [tenant, neighbour] = [await newTenant(), await newTenant()];
    const sealed = [
      await one.fields.sealJson(tenant, PLACE, 0),
      await one.fields.sealJson(neighbour, PLACE, 0),
    ];
    for (let version = 1; version <= 3; version += 1) {
      await rotated(tenant);
      sealed.push(await one.fields.sealJson(tenant, PLACE, version));
    }
    const late = await startKeyProcess(db.url, clientOf(fake), { working: false });
    try {
      const before = fake.count();
      const [first = Buffer.alloc(0), foreign = Buffer.alloc(0), ...later] = sealed;
      expect(await late.fields.openJson(tenant, PLACE, first)).toBe(0);
      for (const [at, value] of later.entries())
        expect(await late.fields.openJson(tenant, PLACE, value)).toBe(at + 1);
      expect(fake.count() - before).toBe(1);
      await expect(late.fields.openJson(tenant, PLACE, foreign)).rejects.toThrow('cannot be read');
    } finally {
      await late.close();
    }
    expect((await census(tenant)).states).toEqual([
      'field retired',
      'field retired',
      'field retired',
      'field current',
      'index retired',
      'index retired',
      'index retired',
      'index current',
    ]);
    expect((await census(neighbour)).states).toEqual(['field current', 'index current']);
  });

  it('that an earlier version has made cost a call each once, and work all the while', async () => {
    const tenant = await db.newTenant();
    const kms = clientOf(fake);
    const kmsKey = await kms.createTenantKey(tenant.id);
    for (const purpose of ['field', 'index']) {
      const { wrapped } = await kms.generateDataKey(kmsKey, { tenant: tenant.id, purpose });
      await db.superuser.query(
        `INSERT INTO "${tenant.id}".encryption_keys (id, purpose, kms_key_id, wrapped) VALUES ($1, $2, $3, $4)`,
        [uuidv7(), purpose, kmsKey, wrapped],
      );
    }
    const id = await addUser(one, tenant, 'old@example.com');
    expect(fake.count('Decrypt')).toBe(2);
    await eventually(async () => {
      const { rows } = await db.superuser.query(
        `SELECT 1 FROM "${tenant.id}".encryption_keys WHERE wrapped IS NOT NULL AND inner_wrapped IS NOT NULL`,
      );
      expect(rows).toHaveLength(1);
    }, WAIT_MS);
    expect(await found(two, tenant, 'OLD@example.com')).toBe(`${id} old@example.com`);
    expect(fake.count('Decrypt')).toBe(3);
  });
});

it('every column of a tenant that could hold a sealed value is known to a rewrap, or is known to hold none', async () => {
  const hashes = [
    'sessions.token_hash',
    'sessions.fingerprint',
    'refresh_tokens.token_hash',
    'api_keys.secret_hash',
    'idempotency_keys.key_hash',
    'idempotency_keys.request_hash',
    'encryption_keys.wrapped',
    'encryption_keys.inner_wrapped',
  ];
  const indexes = encryptedFields().flatMap(({ table, field }) =>
    (field.lookup?.columns ?? []).map((column) => `${table}.${column}`),
  );
  const tenant = await db.newTenant();
  const { rows } = await db.superuser.query<{ name: string }>(
    `SELECT table_name || '.' || column_name AS name FROM information_schema.columns
     WHERE table_schema = $1 AND data_type = 'bytea' ORDER BY 1`,
    [tenant.id],
  );
  const sealed = sealedColumns().filter(({ schema }) => schema === undefined);
  expect(rows.map(({ name }) => name)).toEqual([...hashes, ...indexes, ...sealed.map(nameOf)].toSorted());
});

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
    const [before, apart] = [await census(tenant), await census(neighbour)];
    await rotated(tenant);
    const after = await census(tenant);
    expect([...before.sealedBy.values(), ...after.sealedBy.values()]).toEqual([61, 61]);
    expect([...after.sealedBy.keys()]).not.toEqual([...before.sealedBy.keys()]);
    expect(await census(neighbour)).toEqual(apart);
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
    const { sealedBy } = await census(tenant);
    expect([...sealedBy.values()]).toEqual([2 * emails.length]);
    for (const email of emails) expect(await found(two, tenant, email)).toContain(email);
    const users = await one.database.within(tenant, () => one.database.repository(UserEntity).find());
    const now = new Map(users.map(({ id, displayName }) => [id, displayName?.reveal()]));
    for (const [id, name] of names) expect(now.get(id)).toBe(name);
  });

  it('leaves a value alone that was changed since it was read', async () => {
    const [tenant, neighbour] = [await newTenant(), await newTenant()];
    for (const owner of [tenant, neighbour]) await addUser(one, owner, 'a@example.com');
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
      for (const owner of [tenant, neighbour]) await addUser(deaf, owner, 'a@example.com');
      const key = Buffer.alloc(16, 7);
      const place = { table: 'idempotency_keys', column: 'response', row: key.toString('hex') };
      const late = await deaf.fields.sealJson(tenant, place, 'late');
      const rewrapping = await stepsTaken(tenant, 'version');
      const [first, signal] = [{ ...rewrapping }, new AbortController().signal];
      const pass = await one.steps['rewrap']?.(first, signal);
      expect(pass).toMatchObject({ again: expect.any(Number) as number });
      await inTenant(deaf, tenant, () =>
        deaf.database.query({
          text: 'INSERT INTO idempotency_keys (key_hash, request_hash, response) VALUES ($1, $1, $2)',
          values: [key, late],
        }),
      );
      expect((await census(tenant)).sealedBy.size).toBe(2);
      await stepsTaken(tenant, 'retire', first);
      expect([...(await census(tenant)).sealedBy.values()]).toEqual([3]);
    } finally {
      await deaf.close();
    }
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
          const next = await stepsTaken(tenant, last);
          await use(deaf, tenant, () => stepsTaken(tenant, 'retire', next));
        }
        await use(deaf, neighbour, () => Promise.resolve());
        expect((await census(neighbour)).states).toEqual(['field current', 'index current']);
      } finally {
        await deaf.close();
      }
    });
  });

  it('is begun for whoever is due, once however many processes look, and for nobody else', async () => {
    const [tenant, neighbour] = [await newTenant(), await newTenant()];
    for (const owner of [tenant, neighbour]) await one.fields.sealJson(owner, PLACE, 1);
    await eventually(async () => expect(await one.schedules.of(tenant.id)).toBeDefined(), WAIT_MS);
    await eventually(async () => expect(await one.schedules.of(neighbour.id)).toBeDefined(), WAIT_MS);
    expect(await one.schedule.look()).toBe(0);
    await db.superuser.query('UPDATE control.key_schedules SET rotate_at = now() WHERE tenant = $1', [
      tenant.id,
    ]);
    const begun = await Promise.all([one.schedule.look(), two.schedule.look()]);
    expect(begun.toSorted()).toEqual([0, 1]);
    await eventually(async () => expect((await census(tenant)).states).toContain('field current'), WAIT_MS);
    await eventually(async () => expect((await census(tenant)).states[0]).toBe('field retired'), WAIT_MS);
    expect((await census(neighbour)).states).toEqual(['field current', 'index current']);
    const days = ((await one.schedules.of(tenant.id))?.rotateAt.getTime() ?? 0) - Date.now();
    expect(Math.round(days / 86_400_000)).toBe(365);
  });

  it('becomes due at 2^31 seals, which processes count in blocks', async () => {
    const tenant = await newTenant();
    for (let at = 0; at < 10; at += 1) await one.fields.sealJson(tenant, PLACE, at);
    await two.fields.sealJson(tenant, PLACE, 1);
    const wraps = async (): Promise<number> => (await one.schedules.of(tenant.id))?.wraps ?? 0;
    await eventually(async () => expect(await wraps()).toBe(2 * 4_096), WAIT_MS);
    for (let at = 0; at < 4_096; at += 1) await one.fields.sealJson(tenant, PLACE, at);
    await eventually(async () => expect(await wraps()).toBe(4 * 4_096), WAIT_MS);
    await db.superuser.query(
      `UPDATE control.key_schedules SET wraps = 2::bigint ^ 31 - 8192 WHERE tenant = $1`,
      [tenant.id],
    );
    expect(await one.schedule.look()).toBe(0);
    for (let at = 0; at < 8_192; at += 1) await one.fields.sealJson(tenant, PLACE, at);
    await eventually(async () => expect(await wraps()).toBeGreaterThanOrEqual(2 ** 31), WAIT_MS);
    expect(await one.schedule.look()).toBe(1);
  });
});
