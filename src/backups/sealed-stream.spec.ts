import { createSecretKey, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BackupUnreadable, CHUNK_BYTES, sealed, unsealed } from './sealed-stream.js';

const key = createSecretKey(randomBytes(32));
const binding = randomBytes(32);

async function* given<T>(items: readonly T[]): AsyncGenerator<T> {
  for (const item of items) yield await Promise.resolve(item);
}
async function all(bytes: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of bytes) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}
const seal = (pieces: readonly Buffer[]): Promise<Buffer> => all(sealed(key, binding, given([pieces])));
const open = (pieces: readonly Buffer[], by = key, of = binding): Promise<Buffer> =>
  all(unsealed(by, of, given(pieces)));

describe('a sealed stream', () => {
  it.each([0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])(
    'of %i bytes opens again, however it was cut on either side',
    async (length) => {
      const bytes = randomBytes(length);
      const cut = length >> 1;
      const stored = await seal([bytes.subarray(0, cut), bytes.subarray(cut)]);
      const at = stored.length >> 2;
      expect((await open([stored.subarray(0, at), stored.subarray(at)])).equals(bytes)).toBe(true);
    },
  );

  it('refuses every truncation and every flipped bit', async () => {
    const stored = await seal([Buffer.from('value')]);
    for (let length = 0; length < stored.length; length += 1)
      await expect(open([stored.subarray(0, length)]), `${length}`).rejects.toThrow(BackupUnreadable);
    for (let bit = 0; bit < stored.length * 8; bit += 1) {
      const altered = Buffer.from(stored);
      altered[bit >> 3] = (altered[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      await expect(open([altered]), `bit ${bit}`).rejects.toThrow(BackupUnreadable);
    }
  });

  it('opens under its own key and for its own backup alone', async () => {
    const stored = await seal([Buffer.from('value')]);
    await expect(open([stored], createSecretKey(randomBytes(32)))).rejects.toThrow(BackupUnreadable);
    await expect(open([stored], key, randomBytes(32))).rejects.toThrow(BackupUnreadable);
  });

  it('throws nothing else, whatever the bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 100 }), async (bytes) => {
        await expect(open([Buffer.from(bytes)])).rejects.toThrow(BackupUnreadable);
      }),
    );
  });
});
