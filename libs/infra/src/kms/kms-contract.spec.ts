import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startFakeKms } from '../../../../test/fakes/kms.js';
import { AwsKms } from './aws-kms.js';
import { LocalKms } from './local-kms.js';

interface Opened {
  readonly kms: LocalKms | AwsKms;
  close(): Promise<void>;
}

async function openLocal(): Promise<Opened> {
  const home = await mkdtemp(join(tmpdir(), 'waxell-kms-'));
  return { kms: await LocalKms.open({ home }), close: () => rm(home, { recursive: true }) };
}

async function openAws(): Promise<Opened> {
  const fake = await startFakeKms();
  const { endpoint, region, credentials } = fake;
  return { kms: new AwsKms({ region, endpoint, credentials }), close: () => fake.close() };
}

describe.each([
  ['LocalKms', openLocal],
  ['AwsKms', openAws],
])('%s', (_, open) => {
  let opened: Opened;
  let kms: Opened['kms'];
  let key: string;
  const context = { tenant: 't1', purpose: 'kek' };

  beforeEach(async () => {
    opened = await open();
    kms = opened.kms;
    key = await kms.createTenantKey('t1');
  });
  afterEach(() => opened.close());

  it('gives a fresh 32-byte key each time, and unwraps it again', async () => {
    const one = await kms.generateDataKey(key, context);
    const two = await kms.generateDataKey(key, context);
    expect(one.plaintext).toHaveLength(32);
    expect(one.plaintext.equals(two.plaintext)).toBe(false);
    expect(one.wrapped.includes(one.plaintext)).toBe(false);
    expect(await kms.decrypt(key, one.wrapped, { purpose: 'kek', tenant: 't1' })).toEqual(one.plaintext);
  });

  it('wraps a key that another key has wrapped before, for the same context or another', async () => {
    const { plaintext } = await kms.generateDataKey(key, context);
    const other = await kms.createTenantKey('t1');
    const wrapped = await kms.encrypt(other, plaintext, context);
    expect(wrapped.includes(plaintext)).toBe(false);
    expect(await kms.decrypt(other, wrapped, context)).toEqual(plaintext);
    await expect(kms.decrypt(key, wrapped, context)).rejects.toMatchObject({ code: 'invalid_ciphertext' });
    const elsewhere = kms.decrypt(other, wrapped, { ...context, tenant: 't2' });
    await expect(elsewhere).rejects.toMatchObject({ code: 'invalid_ciphertext' });
  });

  it.each([
    ['another value', { tenant: 't2', purpose: 'kek' }],
    ['a missing entry', { tenant: 't1' }],
    ['an additional entry', { tenant: 't1', purpose: 'kek', more: '' }],
    ['no context', {}],
    ['one entry that reads as both run together', { purpose: 'kektenantt1' }],
  ])('refuses to unwrap in %s', async (_, other) => {
    const { wrapped } = await kms.generateDataKey(key, context);
    await expect(kms.decrypt(key, wrapped, other)).rejects.toMatchObject({ code: 'invalid_ciphertext' });
  });

  it("refuses another tenant's wrapped key", async () => {
    const other = await kms.createTenantKey('t2');
    const { wrapped } = await kms.generateDataKey(other, context);
    await expect(kms.decrypt(key, wrapped, context)).rejects.toMatchObject({ code: 'invalid_ciphertext' });
  });

  it('refuses a wrapped key of which any byte was changed, and one cut short', async () => {
    const { wrapped } = await kms.generateDataKey(key, context);
    for (const index of wrapped.keys()) {
      const changed = Buffer.from(wrapped);
      changed[index] = (changed[index] ?? 0) ^ 1;
      await expect(kms.decrypt(key, changed, context)).rejects.toMatchObject({ code: 'invalid_ciphertext' });
    }
    const cut = wrapped.subarray(0, 10);
    await expect(kms.decrypt(key, cut, context)).rejects.toMatchObject({ code: 'invalid_ciphertext' });
  });

  it('refuses everything while a key is disabled, and goes on once it is enabled', async () => {
    const { plaintext, wrapped } = await kms.generateDataKey(key, context);
    await kms.disableKey(key);
    await expect(kms.decrypt(key, wrapped, context)).rejects.toMatchObject({ code: 'key_disabled' });
    await expect(kms.generateDataKey(key, context)).rejects.toMatchObject({ code: 'key_disabled' });
    await expect(kms.encrypt(key, plaintext, context)).rejects.toMatchObject({ code: 'key_disabled' });
    await kms.enableKey(key);
    expect(await kms.decrypt(key, wrapped, context)).toEqual(plaintext);
  });

  it('refuses a key pending deletion, also to enable it; cancelled, it is disabled', async () => {
    const { plaintext, wrapped } = await kms.generateDataKey(key, context);
    await kms.scheduleKeyDeletion(key, 7);
    const pending = { code: 'key_pending_deletion' };
    await expect(kms.decrypt(key, wrapped, context)).rejects.toMatchObject(pending);
    await expect(kms.generateDataKey(key, context)).rejects.toMatchObject(pending);
    await expect(kms.encrypt(key, plaintext, context)).rejects.toMatchObject(pending);
    await expect(kms.enableKey(key)).rejects.toMatchObject(pending);
    await kms.cancelKeyDeletion(key);
    await expect(kms.decrypt(key, wrapped, context)).rejects.toMatchObject({ code: 'key_disabled' });
    await kms.enableKey(key);
    expect(await kms.decrypt(key, wrapped, context)).toEqual(plaintext);
  });

  it('says of a key that it is condemned already, and leaves it so', async () => {
    await kms.scheduleKeyDeletion(key, 7);
    const again = kms.scheduleKeyDeletion(key, 7);
    await expect(again).rejects.toMatchObject({ code: 'key_pending_deletion' });
    await expect(kms.generateDataKey(key, context)).rejects.toMatchObject({ code: 'key_pending_deletion' });
  });

  it('condemns no key that it does not know, and no other key with one', async () => {
    const other = await kms.createTenantKey('t2');
    const unknown = `${key.slice(0, -4)}0000`;
    await expect(kms.scheduleKeyDeletion(unknown, 7)).rejects.toMatchObject({ code: 'key_not_found' });
    await kms.scheduleKeyDeletion(key, 7);
    expect((await kms.generateDataKey(other, context)).plaintext).toHaveLength(32);
  });

  it('deletes no key sooner than after seven days', async () => {
    await expect(kms.scheduleKeyDeletion(key, 6)).rejects.toThrow(RangeError);
    expect((await kms.generateDataKey(key, context)).plaintext).toHaveLength(32);
  });

  it.each(['no-such-key', '../master.key', '../../../../etc/passwd', ''])(
    'knows no key %j',
    async (unknown) => {
      const refused = kms.generateDataKey(unknown, context);
      await expect(refused).rejects.toMatchObject({ name: 'KmsError' });
      await expect(refused).rejects.not.toMatchObject({ code: 'unavailable' });
    },
  );
});
