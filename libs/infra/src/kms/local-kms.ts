import { createSecretKey, randomBytes, randomUUID, type KeyObject } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createFile, isErrno, replaceFile, syncFolder } from '../objects/durable-file.js';
import { KmsError, type DataKey, type KmsContext } from './kms-error.js';
import { lengthPrefixed, seal, unseal } from './sealed.js';

const KEY_BYTES = 32;
const KEY_ID = /^local-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const DAY_MS = 86_400_000;

/** What `<home>/kms/<key id>.json` holds. */
interface StoredKey {
  readonly id: string;
  readonly tenantId: string;
  readonly createdAt: string;
  readonly state: 'enabled' | 'disabled' | 'pending_deletion';
  readonly deletionDate?: string;
  /** Base64: 32 random bytes sealed under the master key, with the key id as AAD. */
  readonly material: string;
}

/**
 * Keys on this machine's disk, with the semantics of AWS KMS: the encryption context is authenticated, a disabled or
 * condemned key refuses at once, keys never leave. What it cannot give is hardware: who reads `master.key` and the
 * data folder has everything.
 */
export class LocalKms {
  readonly #folder: string;
  readonly #master: KeyObject;

  private constructor(folder: string, master: KeyObject) {
    this.#folder = folder;
    this.#master = master;
  }

  /** Refuses a master key that others can read or that is not 32 bytes; draws one when there is none yet. */
  static async open(options: { readonly home: string }): Promise<LocalKms> {
    const folder = join(options.home, 'kms');
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const kms = new LocalKms(folder, await masterKey(join(options.home, 'master.key'), folder));
    await kms.#destroyDue();
    return kms;
  }

  /** Condemned keys whose days are over: nobody asks for them any more, so this is where their material goes. */
  async #destroyDue(): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      if (!name.endsWith('.json')) continue;
      // Looking at one that is due destroys it; what cannot be looked at is for those who need it to report.
      await this.#load(name.slice(0, -'.json'.length)).catch(() => undefined);
    }
  }

  async createTenantKey(tenantId: string): Promise<string> {
    const id = `local-${randomUUID()}`;
    const material = randomBytes(KEY_BYTES);
    const stored: StoredKey = {
      id,
      tenantId,
      createdAt: new Date().toISOString(),
      state: 'enabled',
      material: seal(this.#master, material, keyAad(id)).toString('base64'),
    };
    material.fill(0);
    await this.#store(stored);
    return id;
  }

  async generateDataKey(keyId: string, context: KmsContext): Promise<DataKey> {
    const key = await this.#usable(keyId);
    const plaintext = randomBytes(KEY_BYTES);
    return { plaintext, wrapped: seal(key, plaintext, contextAad(keyId, context)) };
  }

  /** Wraps a data key that there is already, as `generateDataKey` would have. */
  async encrypt(keyId: string, plaintext: Buffer, context: KmsContext): Promise<Buffer> {
    return seal(await this.#usable(keyId), plaintext, contextAad(keyId, context));
  }

  async decrypt(keyId: string, wrapped: Buffer, context: KmsContext): Promise<Buffer> {
    const plaintext = unseal(await this.#usable(keyId), wrapped, contextAad(keyId, context));
    if (!plaintext) throw new KmsError('invalid_ciphertext', 'Not wrapped by this key in this context');
    return plaintext;
  }

  /** There is one place only. */
  keyHere(keyId: string): string {
    return keyId;
  }

  async disableKey(keyId: string): Promise<void> {
    await this.#store({ ...(await this.#uncondemned(keyId)), state: 'disabled' });
  }

  async enableKey(keyId: string): Promise<void> {
    await this.#store({ ...(await this.#uncondemned(keyId)), state: 'enabled' });
  }

  /** Unusable from now on; the material is destroyed when the days (7 to 30) are over. */
  async scheduleKeyDeletion(keyId: string, waitingDays: number): Promise<void> {
    if (!Number.isInteger(waitingDays) || waitingDays < 7 || waitingDays > 30) {
      throw new RangeError('A key waits 7 to 30 days for its deletion');
    }
    const stored = await this.#uncondemned(keyId);
    const deletionDate = new Date(Date.now() + waitingDays * DAY_MS).toISOString();
    await this.#store({ ...stored, state: 'pending_deletion', deletionDate });
  }

  /** Leaves the key disabled, as AWS does. */
  async cancelKeyDeletion(keyId: string): Promise<void> {
    const { deletionDate: _, ...stored } = await this.#load(keyId);
    if (stored.state === 'pending_deletion') await this.#store({ ...stored, state: 'disabled' });
  }

  async #usable(keyId: string): Promise<KeyObject> {
    const stored = await this.#uncondemned(keyId);
    if (stored.state === 'disabled') throw new KmsError('key_disabled', 'The key is disabled');
    const material = unseal(this.#master, Buffer.from(stored.material, 'base64'), keyAad(keyId));
    if (!material) {
      throw new KmsError('access_denied', 'The key file was changed, or belongs to another master key');
    }
    const key = createSecretKey(material);
    material.fill(0);
    return key;
  }

  async #uncondemned(keyId: string): Promise<StoredKey> {
    const stored = await this.#load(keyId);
    if (stored.state === 'pending_deletion') {
      throw new KmsError('key_pending_deletion', 'The key is pending deletion');
    }
    return stored;
  }

  async #load(keyId: string): Promise<StoredKey> {
    const file = this.#file(keyId);
    let text: string;
    try {
      text = await readFile(file, 'utf8');
    } catch (cause) {
      if (isErrno(cause, 'ENOENT')) throw new KmsError('key_not_found', 'There is no such key', { cause });
      throw new KmsError('unavailable', 'The key file cannot be read', { cause });
    }
    const stored = parseStoredKey(text, keyId);
    // A missing date must never bring a condemned key back, so it counts as due.
    if (stored.state === 'pending_deletion' && !(Date.parse(stored.deletionDate ?? '') > Date.now())) {
      await rm(file, { force: true });
      await syncFolder(this.#folder);
      throw new KmsError('key_not_found', 'There is no such key');
    }
    return stored;
  }

  async #store(stored: StoredKey): Promise<void> {
    try {
      await replaceFile(this.#file(stored.id), `${JSON.stringify(stored, null, 2)}\n`);
    } catch (cause) {
      throw new KmsError('unavailable', 'The key file cannot be written', { cause });
    }
  }

  #file(keyId: string): string {
    // The id becomes a path.
    if (!KEY_ID.test(keyId)) throw new KmsError('key_not_found', 'There is no such key');
    return join(this.#folder, `${keyId}.json`);
  }
}

async function masterKey(file: string, keys: string): Promise<KeyObject> {
  const drawn = randomBytes(KEY_BYTES);
  // When two processes start at once, both read what the faster one stored.
  await createFile(file, drawn);
  drawn.fill(0);
  await syncFolder(dirname(keys));
  const { mode } = await stat(file);
  if ((mode & 0o077) !== 0) {
    throw new Error(
      `${file} can be read by other users (mode ${(mode & 0o777).toString(8)}). Restrict it (chmod 600 '${file}'), and consider the keys under it known.`,
    );
  }
  const bytes = await readFile(file);
  if (bytes.length !== KEY_BYTES) {
    throw new Error(
      `${file} is not a master key (${bytes.length} bytes instead of ${KEY_BYTES}): restore it from a backup.`,
    );
  }
  const key = createSecretKey(bytes);
  bytes.fill(0);
  return key;
}

function keyAad(keyId: string): Buffer {
  return lengthPrefixed(['waxell/local-kms/key', keyId]);
}

/** The same for every order of the entries. */
function contextAad(keyId: string, context: KmsContext): Buffer {
  const names = Object.keys(context).sort();
  const entries = names.flatMap((name) => [name, context[name] ?? '']);
  return lengthPrefixed(['waxell/local-kms/data-key', keyId, ...entries]);
}

function parseStoredKey(text: string, keyId: string): StoredKey {
  let stored: Partial<StoredKey> | null = null;
  try {
    stored = JSON.parse(text);
  } catch (cause) {
    throw new KmsError('access_denied', 'The key file is damaged', { cause });
  }
  const { id, tenantId, createdAt, state, deletionDate, material } = stored ?? {};
  const known = state === 'enabled' || state === 'disabled' || state === 'pending_deletion';
  if (id !== keyId || !known || tenantId === undefined || createdAt === undefined || material === undefined) {
    throw new KmsError('access_denied', 'The key file is damaged');
  }
  return { id, tenantId, createdAt, state, deletionDate, material };
}
