import { HASH_LENGTH } from '@waxell/transparency';
import { found } from './finding.js';

/** Where a log begins whose beginning is gone: after this event, with chain and tree as they stood there. */
export interface BeginningLine {
  readonly after: number;
  readonly chain: string;
  readonly frontier: string;
}

export interface EventLine {
  readonly seq: number;
  readonly event: string;
  readonly chain: string;
}

/** A line of an export. */
export function parsedLine(line: string): EventLine | BeginningLine | { readonly checkpoint: string } {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    found('malformed', undefined, `A line is no JSON: ${line.slice(0, 60)}`);
  }
  const record = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  if (typeof record['checkpoint'] === 'string') return { checkpoint: record['checkpoint'] };
  const { after, seq, event, chain, frontier } = record;
  if (
    typeof after === 'number' &&
    Number.isSafeInteger(after) &&
    after > 0 &&
    typeof chain === 'string' &&
    typeof frontier === 'string' &&
    isFrontier(frontier, after)
  )
    return { after, chain, frontier };
  if (
    typeof seq !== 'number' ||
    !Number.isSafeInteger(seq) ||
    typeof event !== 'string' ||
    typeof chain !== 'string'
  )
    found('malformed', undefined, `A line is neither an event nor a checkpoint: ${line.slice(0, 60)}`);
  return { seq, event, chain };
}

/** One hash for each one-bit of the size. */
function isFrontier(encoded: string, size: number): boolean {
  const ones = [...size.toString(2)].filter((bit) => bit === '1').length;
  return Buffer.from(encoded, 'base64').length === ones * HASH_LENGTH;
}
