/** One side of `codec`, in a process of its own: no side pays for another's garbage. See `codec.ts`. */
import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  randomBytes,
  randomFillSync,
  randomUUID,
} from 'node:crypto';
import { decryptStringSync, encryptStringSync, generateKey, parseKeySync } from '@47ng/cloak';
import {
  AlgorithmSuiteIdentifier,
  buildClient,
  CommitmentPolicy,
  RawAesKeyringNode,
  RawAesWrappingSuiteIdentifier,
} from '@aws-crypto/client-node';

/** Seals a value and opens it again; throws where another came back. */
type Pair = (value: Buffer) => void | Promise<void>;

export const SIDES = ['ours', 'cachedKey', 'cloak', 'awsSdk'] as const;
export type SideName = (typeof SIDES)[number];

export interface Slice {
  /** Bytes of the value. */
  readonly bytes: number;
  readonly cpuMicros: number;
}

const MAKE: Record<SideName, () => Pair | Promise<Pair>> = { ours, cachedKey, cloak, awsSdk };
const PLACE = { tenant: 't_0123456789abcdef', table: 'runs', column: 'input_data' } as const;
/** Every value belongs to a row of its own; drawn beforehand, as drawing an id is no part of sealing. */
const ROWS = Array.from({ length: 1_024 }, () => randomUUID());
let nextRow = 0;

const [name] = process.argv.slice(2) as [SideName | undefined];
if (name !== undefined && process.send) {
  const pair = await MAKE[name]();
  const values = new Map<number, Buffer>();
  process.on('message', ({ bytes, cpuMicros }: Slice) => {
    const value = values.get(bytes) ?? randomText(bytes);
    values.set(bytes, value);
    void perCpuSecond(pair, value, cpuMicros).then((rate) => process.send?.(rate));
  });
  process.on('disconnect', () => process.exit(0));
  process.send('ready');
}

/** Pairs per second of this process's processor time, over a slice of it. */
async function perCpuSecond(pair: Pair, value: Buffer, cpuMicros: number): Promise<number> {
  const start = process.cpuUsage();
  for (let pairs = 0; ;) {
    for (let burst = 0; burst < 100; burst += 1) {
      const done = pair(value);
      if (done) await done;
    }
    pairs += 100;
    const { user, system } = process.cpuUsage(start);
    if (user + system >= cpuMicros) return (pairs * 1e6) / (user + system);
  }
}

/** As the product does it: a fresh data key for each value, wrapped, committed to, bound to its place. */
async function ours(): Promise<Pair> {
  const built = new URL('../dist/encryption/field-codec.js', import.meta.url).href;
  const codec = (await import(built)) as typeof import('../src/encryption/field-codec.js');
  const kek = { id: randomBytes(16), key: createSecretKey(randomBytes(32)) };
  return (value) => {
    const place = { ...PLACE, row: row() };
    same(value, codec.openField(kek, place, codec.sealField(kek, place, value)));
  };
}

/** One key for everything, from memory, without commitment: the least that can be done. Nonces from a pool, as ours are. */
function cachedKey(): Pair {
  const key = createSecretKey(randomBytes(32));
  const pool = Buffer.alloc(16_380);
  let at = pool.length;
  return (value) => {
    if (at === pool.length) {
      randomFillSync(pool);
      at = 0;
    }
    const nonce = Buffer.from(pool.subarray(at, (at += 12)));
    const aad = Buffer.from(`${PLACE.tenant}.${PLACE.table}.${PLACE.column}.${row()}`);
    const cipher = createCipheriv('aes-256-gcm', key, nonce);
    cipher.setAAD(aad);
    const sealed = Buffer.concat([nonce, cipher.update(value), cipher.final(), cipher.getAuthTag()]);
    const end = sealed.length - 16;
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12), { authTagLength: 16 });
    decipher.setAAD(aad);
    decipher.setAuthTag(sealed.subarray(end));
    const opened = decipher.update(sealed.subarray(12, end));
    decipher.final();
    same(value, opened);
  };
}

function cloak(): Pair {
  const key = parseKeySync(generateKey());
  return (value) => {
    const text = value.toString('latin1');
    if (decryptStringSync(encryptStringSync(text, key), key) !== text)
      throw new Error('Another value came back.');
  };
}

/** With a raw AES keyring, so that no KMS call is counted against it. */
function awsSdk(): Pair {
  const { encrypt, decrypt } = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT);
  const keyring = new RawAesKeyringNode({
    keyName: 'bench',
    keyNamespace: 'waxell',
    unencryptedMasterKey: randomBytes(32),
    wrappingSuite: RawAesWrappingSuiteIdentifier.AES256_GCM_IV12_TAG16_NO_PADDING,
  });
  const suiteId = AlgorithmSuiteIdentifier.ALG_AES256_GCM_IV12_TAG16_HKDF_SHA512_COMMIT_KEY;
  return async (value) => {
    const encryptionContext = { ...PLACE, row: row() };
    const { result } = await encrypt(keyring, value, { encryptionContext, suiteId });
    same(value, (await decrypt(keyring, result)).plaintext);
  };
}

function row(): string {
  nextRow = (nextRow + 1) % ROWS.length;
  return ROWS[nextRow] ?? '';
}

function same(value: Buffer, opened: Buffer): void {
  if (!value.equals(opened)) throw new Error('Another value came back.');
}

function randomText(bytes: number): Buffer {
  return Buffer.from(randomBytes(bytes).toString('base64').slice(0, bytes));
}
