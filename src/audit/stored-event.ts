import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';

const compress = promisify(gzip);
const decompress = promisify(gunzip);
/** Far above what is ever put into one object. */
const LARGEST = 256 * 1_048_576;

/** An event as the log holds it. */
export interface StoredEvent {
  readonly seq: number;
  /** The canonical bytes: what is hashed. */
  readonly event: Buffer;
  /** Its link of the chain. */
  readonly chain: Buffer;
}

/** A line of an export, and of an object of a cold log: `{seq, event, chain}`, the event as a string. */
export function eventLine({ seq, event, chain }: StoredEvent): Buffer {
  const line = { seq, event: event.toString('utf8'), chain: chain.toString('base64') };
  return Buffer.from(`${JSON.stringify(line)}\n`);
}

export function packed(events: readonly StoredEvent[]): Promise<Buffer> {
  return compress(Buffer.concat(events.map((event) => eventLine(event))));
}

/** @throws where the bytes are not what `packed` makes */
export async function unpacked(object: Buffer): Promise<StoredEvent[]> {
  const lines = (await decompress(object, { maxOutputLength: LARGEST })).toString('utf8').split('\n');
  if (lines.pop() !== '') throw new Error('The last line of a cold object is cut off.');
  return lines.map((line) => {
    const value = JSON.parse(line) as { seq?: unknown; event?: unknown; chain?: unknown };
    const { seq, event, chain } = value;
    if (typeof seq !== 'number' || typeof event !== 'string' || typeof chain !== 'string')
      throw new Error('A line of a cold object is no event.');
    return { seq, event: Buffer.from(event), chain: Buffer.from(chain, 'base64') };
  });
}
