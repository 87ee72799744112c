import type { BackupPart } from '../platform/database/index.js';

/** Parts as bytes: `kind 1 | length 4 | content`, the content being JSON, of rows the rows themselves. */
const KINDS = ['cell', 'tenant', 'table', 'rows', 'end', 'sequence'] as const;
const HEAD = 5;
/** Rows come in pieces of what a socket gives; nothing of ours is larger. */
const LONGEST = 8 * 2 ** 20;

export function frameOf(part: BackupPart): Buffer[] {
  const head = Buffer.alloc(HEAD);
  head[0] = KINDS.indexOf(part.kind);
  if (part.kind === 'rows') {
    // What is too long for one is several: a table's rows may be cut anywhere.
    const pieces: Buffer[] = [];
    for (let at = 0; at < part.bytes.length; at += LONGEST) {
      const piece = part.bytes.subarray(at, at + LONGEST);
      const own = Buffer.from(head);
      own.writeUInt32BE(piece.length, 1);
      pieces.push(own, piece);
    }
    return pieces;
  }
  const content = Buffer.from(JSON.stringify(part));
  if (content.length > LONGEST) throw new RangeError('A part of the backup is too long.');
  head.writeUInt32BE(content.length, 1);
  return [head, content];
}

/**
 * The parts in a stream of bytes that is cut anywhere. What the bytes are is taken on trust: whoever reads them has
 * authenticated them.
 */
export async function* partsOf(bytes: AsyncIterable<Buffer>): AsyncGenerator<BackupPart> {
  let held: Buffer = Buffer.alloc(0);
  for await (const more of bytes) {
    held = held.length === 0 ? more : Buffer.concat([held, more]);
    let at = 0;
    while (held.length - at >= HEAD) {
      const length = held.readUInt32BE(at + 1);
      if (length > LONGEST) throw new RangeError('A part of the backup is too long.');
      if (held.length - at - HEAD < length) break;
      yield partOf(held[at] ?? 0, held.subarray(at + HEAD, at + HEAD + length));
      at += HEAD + length;
    }
    held = held.subarray(at);
  }
  if (held.length > 0) throw new RangeError('The backup ends within a part.');
}

function partOf(kind: number, content: Buffer): BackupPart {
  const name = KINDS[kind];
  if (name === 'rows') return { kind: 'rows', bytes: content };
  const part = JSON.parse(content.toString()) as BackupPart;
  if (name === undefined || part.kind !== name)
    throw new RangeError('A part of the backup is of no known kind.');
  return part;
}
