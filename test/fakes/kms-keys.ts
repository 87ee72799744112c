import { createCipheriv, createDecipheriv, randomBytes, randomUUID } from 'node:crypto';

const ACCOUNT = '111122223333';
const CUSTOMER = '444455556666';

export type FakeKeyState =
  | 'Enabled'
  | 'Disabled'
  | 'PendingDeletion'
  | 'PendingReplicaDeletion'
  | 'PendingImport'
  | 'Unavailable'
  | 'Creating';

export type KeyContext = Readonly<Record<string, string>>;

/** Thrown by an operation, and sent as KMS sends errors. */
export class Refusal extends Error {
  readonly type: string;
  constructor(type: string, message: string) {
    super(message);
    this.type = type;
  }
}

export interface FakeKey {
  readonly arn: string;
  readonly material: Buffer;
  readonly description: string;
  readonly tags: unknown;
  readonly usage: 'ENCRYPT_DECRYPT' | 'SIGN_VERIFY';
  state: FakeKeyState;
  /** The caller may not use it, as after a grant was taken back. */
  denied: boolean;
}

export interface NewFakeKey {
  readonly region: string;
  /** In a customer's account. */
  readonly customer?: boolean;
  /** One that may have replicas in other regions, as its id shows. */
  readonly multiRegion?: boolean;
  readonly usage?: FakeKey['usage'];
  readonly description?: string;
  readonly tags?: unknown;
}

/** In which words the real one says that a key's state forbids what is asked. */
const STATE_WORDS: Readonly<Partial<Record<FakeKeyState, string>>> = {
  PendingDeletion: 'is pending deletion.',
  PendingReplicaDeletion: 'is pending replica deletion.',
  PendingImport: 'is pending import.',
  Unavailable: 'is unavailable.',
  Creating: 'is creating.',
};

/** Keys of all regions, each of them known in its own only. */
export class FakeKeys {
  readonly #byArn = new Map<string, FakeKey>();

  create({ region, customer, multiRegion, usage = 'ENCRYPT_DECRYPT', description = '', tags }: NewFakeKey) {
    const id = multiRegion ? `mrk-${randomUUID().replaceAll('-', '')}` : randomUUID();
    return this.#add({
      arn: `arn:aws:kms:${region}:${customer ? CUSTOMER : ACCOUNT}:key/${id}`,
      material: randomBytes(32),
      description,
      tags,
      usage,
      state: 'Enabled',
      denied: false,
    });
  }

  /** The related key of another region: the same id and material, and a state of its own. */
  replicate(arn: string, region: string): string {
    const key = this.byArn(arn);
    if (!idOf(arn).startsWith('mrk-')) throw new Refusal('UnsupportedOperationException', arn);
    return this.#add({ ...key, arn: arn.replace(/^(arn:aws:kms:)[^:]+/, `$1${region}`), state: 'Enabled' })
      .arn;
  }

  /** For whoever administers the key. */
  byArn(arn: string): FakeKey {
    const key = this.#byArn.get(arn);
    if (!key) throw new Refusal('NotFoundException', `Key '${arn}' does not exist`);
    return key;
  }

  describe(arn: string): FakeKey | undefined {
    return this.#byArn.get(arn);
  }

  destroy(arn: string): void {
    this.#byArn.delete(arn);
  }

  /** By ARN or id, as a region knows it. */
  find(keyId: string | undefined, region: string): FakeKey {
    if (keyId === undefined || keyId === '') throw new Refusal('ValidationException', 'keyId');
    if (keyId.startsWith('arn:')) {
      if (!/^arn:aws:kms:[a-z0-9-]+:\d{12}:key\/[A-Za-z0-9-]+$/.test(keyId))
        throw new Refusal('InvalidArnException', `Invalid arn ${keyId}`);
      if (keyId.split(':')[3] !== region) throw new Refusal('NotFoundException', `Invalid arn ${region}`);
      return this.byArn(keyId);
    }
    for (const account of [ACCOUNT, CUSTOMER]) {
      const key = this.#byArn.get(`arn:aws:kms:${region}:${account}:key/${keyId}`);
      if (key) return key;
    }
    throw new Refusal('NotFoundException', `Key '${keyId}' does not exist`);
  }

  usable(keyId: string | undefined, region: string): FakeKey {
    const key = this.find(keyId, region);
    if (key.denied)
      throw new Refusal('AccessDeniedException', 'The ciphertext refers to a key that you may not use');
    if (key.usage !== 'ENCRYPT_DECRYPT')
      throw new Refusal('InvalidKeyUsageException', `${key.arn} key usage is ${key.usage}`);
    if (key.state === 'Disabled') throw new Refusal('DisabledException', `${key.arn} is disabled.`);
    requireState(key, ['Enabled']);
    return key;
  }

  /** Only a key that is one or the other of the two is switched. */
  switch(keyId: string | undefined, region: string, state: 'Enabled' | 'Disabled'): object {
    const key = this.find(keyId, region);
    requireState(key, ['Enabled', 'Disabled']);
    key.state = state;
    return {};
  }

  condemn(keyId: string | undefined, region: string, days: number): object {
    if (days < 7 || days > 30) throw new Refusal('ValidationException', 'PendingWindowInDays');
    const key = this.find(keyId, region);
    requireState(key, ['Enabled', 'Disabled', 'PendingImport', 'Unavailable']);
    key.state = 'PendingDeletion';
    return { KeyId: key.arn, KeyState: key.state, PendingWindowInDays: days };
  }

  pardon(keyId: string | undefined, region: string): object {
    const key = this.find(keyId, region);
    if (key.state !== 'PendingDeletion')
      throw new Refusal('KMSInvalidStateException', `${key.arn} is not pending deletion.`);
    key.state = 'Disabled';
    return { KeyId: key.arn };
  }

  unwrap(blob: Buffer, keyId: string | undefined, region: string, context: KeyContext | undefined) {
    const id = blob.subarray(1, 1 + (blob[0] ?? 0)).toString();
    // The real one checks the named key first, then whether the ciphertext is its own.
    const key = this.usable(keyId ?? id, region);
    if (idOf(key.arn) !== id) {
      const known = [...this.#byArn.keys()].some((arn) => idOf(arn) === id);
      throw known
        ? new Refusal('IncorrectKeyException', 'The key ID in the request does not identify the key')
        : new Refusal('InvalidCiphertextException', '');
    }
    return { key, plaintext: opened(key, blob, context) };
  }

  #add(key: FakeKey): FakeKey {
    this.#byArn.set(key.arn, key);
    return key;
  }
}

/** Key id (with its length), nonce, ciphertext, tag. */
export function wrap(key: FakeKey, plaintext: Buffer, context: KeyContext | undefined): Buffer {
  const id = Buffer.from(idOf(key.arn));
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key.material, nonce).setAAD(aad(context));
  return Buffer.concat([
    Buffer.of(id.length),
    id,
    nonce,
    cipher.update(plaintext),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
}

function opened(key: FakeKey, blob: Buffer, context: KeyContext | undefined): Buffer {
  const rest = blob.subarray(1 + (blob[0] ?? 0));
  try {
    const decipher = createDecipheriv('aes-256-gcm', key.material, rest.subarray(0, 12))
      .setAAD(aad(context))
      .setAuthTag(rest.subarray(-16));
    return Buffer.concat([decipher.update(rest.subarray(12, -16)), decipher.final()]);
  } catch {
    throw new Refusal('InvalidCiphertextException', '');
  }
}

function aad(context: KeyContext = {}): Buffer {
  return Buffer.from(JSON.stringify(Object.entries(context).sort(([a], [b]) => (a < b ? -1 : 1))));
}

function requireState({ arn, state }: FakeKey, states: readonly FakeKeyState[]): void {
  if (!states.includes(state))
    throw new Refusal('KMSInvalidStateException', `${arn} ${STATE_WORDS[state] ?? 'is in another state.'}`);
}

function idOf(arn: string): string {
  return arn.slice(arn.lastIndexOf('/') + 1);
}
