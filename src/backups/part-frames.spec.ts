import { describe, expect, it } from 'vitest';
import type { BackupPart } from '../platform/database/index.js';
import { frameOf, partsOf } from './part-frames.js';

async function parts(bytes: Buffer, step: number): Promise<BackupPart[]> {
  async function* cut(): AsyncGenerator<Buffer> {
    for (let at = 0; at < bytes.length; at += step)
      yield await Promise.resolve(bytes.subarray(at, at + step));
  }
  const found: BackupPart[] = [];
  for await (const part of partsOf(cut()))
    found.push(part.kind === 'rows' ? { ...part, bytes: Buffer.from(part.bytes) } : part);
  return found;
}

const PARTS: readonly BackupPart[] = [
  { kind: 'cell', region: 'r', cell: [{ version: 1, checksum: 'a' }], tenant: [] },
  { kind: 'tenant', schema: 't_00000000000000aa', version: 3 },
  { kind: 'table', schema: 'audit', name: 'events', columns: ['"a"', '"b"'] },
  { kind: 'rows', bytes: Buffer.from([1, 2, 3]) },
  { kind: 'end', rows: 1 },
  { kind: 'sequence', schema: 'audit', name: 's', last: '9007199254740993' },
];

describe('parts of a backup', () => {
  const bytes = Buffer.concat(PARTS.flatMap((part) => frameOf(part)));

  it.each([1, 7, 10_000])('come back as they were, cut every %i bytes', async (step) => {
    expect(await parts(bytes, step)).toEqual(PARTS);
  });

  it('are refused where the last is cut short, of no known kind, or said to be endless', async () => {
    await expect(parts(bytes.subarray(0, -1), 10_000)).rejects.toThrow('ends within a part');
    await expect(parts(Buffer.from([9, 0, 0, 0, 2, 0x7b, 0x7d]), 100)).rejects.toThrow('of no known kind');
    await expect(parts(Buffer.from([3, 0xff, 0xff, 0xff, 0xff]), 100)).rejects.toThrow('too long');
  });

  it('of rows that are long are several', async () => {
    const rows = { kind: 'rows', bytes: Buffer.alloc(9 * 2 ** 20, 1) } as const;
    const found = await parts(Buffer.concat(frameOf(rows)), 2 ** 20);
    expect(found.length).toBe(2);
    expect(found.map((part) => (part.kind === 'rows' ? part.bytes.length : 0))).toEqual([
      8 * 2 ** 20,
      2 ** 20,
    ]);
  });
});
