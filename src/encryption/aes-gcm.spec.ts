import { createSecretKey } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { decryptFrom, encryptInto, keyForOnce, NONCE_LENGTH, randomInto, TAG_LENGTH } from './aes-gcm.js';

interface Vector {
  readonly tcId: number;
  readonly comment: string;
  readonly key: string;
  readonly iv: string;
  readonly aad: string;
  readonly msg: string;
  readonly ct: string;
  readonly tag: string;
  readonly result: 'valid' | 'invalid';
}

interface VectorFile {
  readonly testGroups: readonly {
    readonly keySize: number;
    readonly ivSize: number;
    readonly tagSize: number;
    readonly tests: readonly Vector[];
  }[];
}

const FILE = join(process.env['WAXELL_DATA'] ?? '../shared/data', 'wycheproof/aes_gcm_test.json');

/** The vectors of the one form that is used here: 256-bit keys, 96-bit nonces, 128-bit tags. */
function vectors(): Vector[] {
  if (!existsSync(FILE)) {
    process.stderr.write(
      `SKIPPED: no Wycheproof vectors at ${FILE}; set WAXELL_DATA to the folder of them.\n`,
    );
    return [];
  }
  const { testGroups } = JSON.parse(readFileSync(FILE, 'utf8')) as VectorFile;
  return testGroups
    .filter(({ keySize, ivSize, tagSize }) => keySize === 256 && ivSize === 96 && tagSize === 128)
    .flatMap(({ tests }) => tests);
}

const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex');
const known = vectors();

describe.skipIf(known.length === 0)('AES-256-GCM by the vectors of Wycheproof', () => {
  it('has both valid and invalid ones', () => {
    expect(known.filter(({ result }) => result === 'valid').length).toBeGreaterThan(30);
    expect(known.filter(({ result }) => result === 'invalid').length).toBeGreaterThan(20);
  });

  it.each(known.map((vector) => [vector.tcId, vector.result, vector.comment, vector] as const))(
    '%i is %s: %s',
    (_id, result, _comment, vector) => {
      const raw = bytes(vector.key);
      const sealed = bytes(vector.iv + vector.ct + vector.tag);
      for (const key of [createSecretKey(raw), keyForOnce(raw)]) {
        const open = (): Buffer =>
          decryptFrom(sealed, key, 0, NONCE_LENGTH, sealed.length, bytes(vector.aad));
        if (result === 'invalid') {
          expect(open).toThrow('unable to authenticate data');
          continue;
        }
        expect(open().toString('hex')).toBe(vector.msg);
        const out = Buffer.alloc(NONCE_LENGTH + vector.msg.length / 2 + TAG_LENGTH);
        bytes(vector.iv).copy(out);
        encryptInto(out, key, 0, NONCE_LENGTH, bytes(vector.msg), bytes(vector.aad));
        expect(out.subarray(NONCE_LENGTH).toString('hex')).toBe(vector.ct + vector.tag);
      }
    },
  );
});

it('a key that serves once is the same key, whatever its bytes', () => {
  // Every value of a byte: what is read as text of another encoding is longer, or another key.
  for (let first = 0; first < 256; first += 32) {
    const raw = Buffer.from(Array.from({ length: 32 }, (_, index) => first + index));
    const out = Buffer.alloc(NONCE_LENGTH + 5 + TAG_LENGTH);
    encryptInto(out, keyForOnce(raw), 0, NONCE_LENGTH, Buffer.from('value'), Buffer.from('place'));
    const open = (key: Buffer): Buffer =>
      decryptFrom(out, createSecretKey(key), 0, NONCE_LENGTH, out.length, Buffer.from('place'));
    expect(open(raw).toString()).toBe('value');
    expect(() => open(Buffer.alloc(32, first))).toThrow('unable to authenticate data');
  }
});

it('what ends before its nonce or its tag is refused', () => {
  const key = createSecretKey(Buffer.alloc(32));
  for (let length = 0; length < NONCE_LENGTH + TAG_LENGTH; length += 1)
    expect(() => decryptFrom(Buffer.alloc(length), key, 0, NONCE_LENGTH, length, Buffer.alloc(0))).toThrow(
      'There are no such bytes.',
    );
});

it('random bytes are never handed out twice', () => {
  const drawn = Array.from({ length: 4_000 }, () => {
    const out = Buffer.alloc(12);
    randomInto(out, 0, 12);
    return out.toString('hex');
  });
  expect(new Set(drawn).size).toBe(drawn.length);
});
