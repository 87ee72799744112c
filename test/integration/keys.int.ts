import { v7 as uuidv7 } from 'uuid';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { encryptedFields } from '../../src/encryption/encrypted.decorator.js';
import { kekIdOf } from '../../src/encryption/field-codec.js';
import { nameOf, sealedColumns } from '../../src/encryption/sealed-columns.js';
import '../../src/app.module.js';
import { PLATFORM_TENANT, type TenantRef } from '../../src/platform/database/index.js';
import { startFakeKms, type FakeKms } from '../fakes/kms.js';
import { eventually } from '../support/eventually.js';
import { clientOf, startKeyProcess, type KeyProcess } from '../support/key-process.js';
import { addUser, census, found, inTenant, newKeyTenant, rotatedBy } from '../support/key-tenants.js';
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
const newTenant = (): Promise<TenantRef> => newKeyTenant(db, one);
const rotated = (tenant: TenantRef): Promise<void> => rotatedBy(one, tenant);

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
    expect((await census(db, tenant)).states).toEqual([
      'field retired',
      'field retired',
      'field retired',
      'field current',
      'index retired',
      'index retired',
      'index retired',
      'index current',
    ]);
    expect((await census(db, neighbour)).states).toEqual(['field current', 'index current']);
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
    'sessions.exact_fingerprint',
    'sessions.agent_fingerprint',
    'sign_in_places.fingerprint',
    'password_resets.token_hash',
    'refresh_tokens.token_hash',
    'api_keys.secret_hash',
    'detection_progress.chain_hash',
    'idempotency_keys.key_hash',
    'idempotency_keys.request_hash',
    'encryption_keys.wrapped',
    'encryption_keys.inner_wrapped',
    'subject_keys.wrapped',
    'federated_sessions.sid_hash',
    'sso_attempts.state_hash',
    'sso_attempts.browser_hash',
    'sso_replays.key',
    'impersonations.secret_hash',
    'oauth_client_secrets.secret_hash',
    'oauth_shown.key',
    'recovery_codes.code_hash',
    'scim_tokens.secret_hash',
    'second_factor_challenges.place',
    'second_factor_challenges.token_hash',
    'second_factors.credential_hash',
    'signal_transmitters.former_token_hash',
    'signal_transmitters.token_hash',
    'signals_seen.key',
    'text_messages.code_hash',
    'text_messages.number_hash',
    'trusted_devices.fingerprint',
    'trusted_devices.secret_hash',
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

describe('a rotation of keys', () => {
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
    await eventually(
      async () => expect((await census(db, tenant)).states).toContain('field current'),
      WAIT_MS,
    );
    await eventually(async () => expect((await census(db, tenant)).states[0]).toBe('field retired'), WAIT_MS);
    expect((await census(db, neighbour)).states).toEqual(['field current', 'index current']);
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
    // Another age makes it due at that age, and no later than now.
    const { since } = await one.keys.of(tenant);
    for (const days of [90, 365])
      await one.registry.bookkeeping('a test', tenant.id, (registry) =>
        one.schedules.rotateAfter(registry, { tenant: tenant.id, since }, days),
      );
    expect(await one.schedule.look()).toBe(1);
  });

  it('of the installation itself brings what the registry holds of its own under the new key', async () => {
    const platform = one.cells.home.tenant(PLATFORM_TENANT);
    await db.provisioning.createTenant(platform);
    const statements = await one.keys.provision(platform);
    await inTenant(one, platform, async () => {
      for (const statement of statements) await one.database.query(statement);
    });
    const row = 'a-signing-key';
    const place = { table: 'signing_keys', column: 'private_key', row };
    const before = await one.fields.sealJson(platform, place, 'private');
    await db.superuser.query(
      `INSERT INTO control.signing_keys (kid, public_jwk, private_key) VALUES ($1, '{}', $2)`,
      [row, before],
    );
    await rotated(platform);
    const { rows } = await db.superuser.query<{ private_key: Buffer }>(
      'SELECT private_key FROM control.signing_keys',
    );
    const [after = Buffer.alloc(0)] = rows.map(({ private_key: stored }) => stored);
    expect(kekIdOf(after)).not.toBe(kekIdOf(before));
    expect(kekIdOf(after)).toBe((await one.keys.of(platform)).current.id.toString('hex'));
    expect(await two.fields.openJson(platform, place, after)).toBe('private');
  });
});
