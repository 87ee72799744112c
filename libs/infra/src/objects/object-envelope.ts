import { createSecretKey } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lengthPrefixed, seal, unseal } from '../kms/sealed.js';
import { createFile, isErrno, TEMPORARY_PREFIX } from './durable-file.js';
import { ObjectStoreError } from './object-key.js';

/** What an envelope needs of a key management service: `AwsKms` and `LocalKms` have it. */
export interface EnvelopeKms {
  createTenantKey(tenantId: string): Promise<string>;
  generateDataKey(
    keyId: string,
    context: Readonly<Record<string, string>>,
  ): Promise<{ plaintext: Buffer; wrapped: Buffer }>;
  decrypt(keyId: string, wrapped: Buffer, context: Readonly<Record<string, string>>): Promise<Buffer>;
}

/** Begins every stored file; says in which form the rest is. */
const MAGIC = Buffer.from('WXOBJ\0\0\x01', 'latin1');
/** In the store's own folder; no object has such a name. */
const KEY_FILE = `${TEMPORARY_PREFIX}key`;

/**
 * Seals whole objects: `magic 8 | length 2 | wrapped key | sealed body`. Each object has a data key of its own, wrapped by
 * a key of the KMS that is the store's alone; both layers authenticate the object's key, so that no file can be put in
 * another's place.
 */
export class ObjectEnvelope {
  private constructor(
    private readonly kms: EnvelopeKms,
    private readonly keyId: string,
  ) {}

  /** Makes the store's key at the first start. Several processes agree on one. */
  static async openFolder(kms: EnvelopeKms, dir: string): Promise<ObjectEnvelope> {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const file = join(dir, KEY_FILE);
    const known = await readIfThere(file);
    if (known !== undefined) return new ObjectEnvelope(kms, known);
    const made = await kms.createTenantKey('objects');
    const first = await createFile(file, made);
    return new ObjectEnvelope(kms, first ? made : await readFile(file, 'utf8'));
  }

  async seal(key: string, body: Buffer): Promise<Buffer> {
    const { plaintext, wrapped } = await this.kms.generateDataKey(this.keyId, contextOf(key));
    const dataKey = createSecretKey(plaintext);
    plaintext.fill(0);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(wrapped.length);
    return Buffer.concat([MAGIC, length, wrapped, seal(dataKey, body, boundTo(key))]);
  }

  /** @throws {ObjectStoreError} for what was not sealed for this key */
  async open(key: string, stored: Buffer): Promise<Buffer> {
    const wrappedAt = MAGIC.length + 2;
    if (stored.length < wrappedAt || !stored.subarray(0, MAGIC.length).equals(MAGIC)) throw new NotOpened();
    const bodyAt = wrappedAt + stored.readUInt16BE(MAGIC.length);
    const plaintext = await this.kms
      .decrypt(this.keyId, stored.subarray(wrappedAt, bodyAt), contextOf(key))
      .catch((cause: unknown) => {
        throw new NotOpened({ cause });
      });
    const dataKey = createSecretKey(plaintext);
    plaintext.fill(0);
    const body = unseal(dataKey, stored.subarray(bodyAt), boundTo(key));
    if (!body) throw new NotOpened();
    return body;
  }
}

class NotOpened extends ObjectStoreError {
  constructor(options?: ErrorOptions) {
    super('The object cannot be opened', options);
  }
}

function contextOf(key: string): { readonly purpose: string; readonly object: string } {
  return { purpose: 'object', object: key };
}

function boundTo(key: string): Buffer {
  return lengthPrefixed(['object', key]);
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    if (isErrno(cause, 'ENOENT')) return undefined;
    throw cause;
  }
}
