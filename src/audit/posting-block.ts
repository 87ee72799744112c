import type { EventBody } from './audit-event.js';
import { searchValues, termsOf, type Term } from './search-terms.js';

/** Numbers of a log that are indexed together, once the last of them is there. */
export const BLOCK = 4_096;
const BITMAP = BLOCK / 8;
/** From so many places on a bitmap is shorter than a list of two bytes each. */
const LISTED = BITMAP / 2;
/** Of an entry: the fingerprint (4 bytes) and how many places follow (2). */
const HEADER = 6;

/** Blocks count from 0, events from 1. */
export function blockOf(seq: number): number {
  return Math.floor((seq - 1) / BLOCK);
}

export function firstOf(block: number): number {
  return block * BLOCK + 1;
}

export function lastOf(block: number): number {
  return (block + 1) * BLOCK;
}

/** What is stored of a block: for each bucket that has any, its terms with the places of their events. */
export interface PostingRow {
  readonly bucket: number;
  /** Entry after entry, by fingerprint: fingerprint (4 bytes), count (2), then the places: 2 bytes each, or a bitmap. Big-endian. */
  readonly entries: Buffer;
}

/** Collects the terms of a block's events, which are added in their order. */
export class PostingBlock {
  #next: number;
  /** Bucket, fingerprint and place as one number of 52 bits, so that sorting them groups them. */
  readonly #found: number[] = [];
  /** The first and the last time that an event of the block says, wherever it stands; RFC 3339, UTC. */
  earliest = '';
  latest = '';

  constructor(readonly block: number) {
    this.#next = firstOf(block);
  }

  /** The number that comes next; beyond the block when it is full. */
  get next(): number {
    return this.#next;
  }

  get full(): boolean {
    return this.#next > lastOf(this.block);
  }

  /** @param body undefined where the event cannot be read: it is found by nothing */
  add(body: EventBody | undefined): void {
    const place = this.#next - firstOf(this.block);
    this.#next += 1;
    if (!body) return;
    if (this.earliest === '' || body.at < this.earliest) this.earliest = body.at;
    if (body.at > this.latest) this.latest = body.at;
    for (const { bucket, fingerprint } of termsOf(searchValues(body)))
      this.#found.push((bucket * 2 ** 32 + fingerprint) * BLOCK + place);
  }

  rows(): PostingRow[] {
    const buckets = new Map<number, Buffer[]>();
    for (const [term, places] of grouped(Float64Array.from(this.#found).sort())) {
      const bucket = Math.floor(term / 2 ** 32);
      const entry = entryOf(term % 2 ** 32, places);
      const entries = buckets.get(bucket);
      if (entries) entries.push(entry);
      else buckets.set(bucket, [entry]);
    }
    return [...buckets].map(([bucket, entries]) => ({ bucket, entries: Buffer.concat(entries) }));
  }
}

/** The places of a term's events in a block, in their order; none where there are none. */
export function placesOf(entries: Buffer, term: Pick<Term, 'fingerprint'>): Uint16Array {
  const at = entryAt(entries, term);
  const count = at < 0 ? 0 : entries.readUInt16BE(at + 4);
  const places = new Uint16Array(count);
  const start = at + HEADER;
  if (count < LISTED) for (let n = 0; n < count; n += 1) places[n] = entries.readUInt16BE(start + 2 * n);
  else
    for (let byte = 0, n = 0; byte < BITMAP; byte += 1)
      for (let bits = entries[start + byte] ?? 0, bit = 0; bits !== 0; bits >>= 1, bit += 1)
        if (bits & 1) places[n++] = byte * 8 + bit;
  return places;
}

/** Those of the places at which a term's events are as well. */
export function narrowed(places: Uint16Array, entries: Buffer, term: Pick<Term, 'fingerprint'>): Uint16Array {
  const at = entryAt(entries, term);
  if (at < 0) return places.subarray(0, 0);
  const start = at + HEADER;
  const count = entries.readUInt16BE(at + 4);
  if (count >= LISTED)
    return places.filter((place) => (entries[start + (place >> 3)] ?? 0) & (1 << (place & 7)));
  let next = 0;
  return places.filter((place) => {
    while (next < count && entries.readUInt16BE(start + 2 * next) < place) next += 1;
    return next < count && entries.readUInt16BE(start + 2 * next) === place;
  });
}

/** The numbers of the events at these places, the newest first. */
export function* numbersAt(block: number, places: Uint16Array): Generator<number> {
  for (let at = places.length - 1; at >= 0; at -= 1) yield firstOf(block) + (places[at] ?? 0);
}

/** Where a term's entry begins; below 0 where there is none. */
function entryAt(entries: Buffer, { fingerprint }: Pick<Term, 'fingerprint'>): number {
  for (let at = 0; at + HEADER <= entries.length;) {
    const own = entries.readUInt32BE(at);
    if (own === fingerprint) return at;
    // They are in order.
    if (own > fingerprint) return -1;
    const count = entries.readUInt16BE(at + 4);
    at += HEADER + (count < LISTED ? 2 * count : BITMAP);
  }
  return -1;
}

function* grouped(found: Float64Array): Generator<[number, number[]]> {
  let term = -1;
  let places: number[] = [];
  for (const one of found) {
    const its = Math.floor(one / BLOCK);
    if (its !== term) {
      if (places.length > 0) yield [term, places];
      [term, places] = [its, []];
    }
    // Two values of an event may have one fingerprint.
    if (places.at(-1) !== one % BLOCK) places.push(one % BLOCK);
  }
  if (places.length > 0) yield [term, places];
}

function entryOf(fingerprint: number, places: readonly number[]): Buffer {
  const listed = places.length < LISTED;
  const entry = Buffer.alloc(HEADER + (listed ? 2 * places.length : BITMAP));
  entry.writeUInt32BE(fingerprint);
  entry.writeUInt16BE(places.length, 4);
  for (const [at, place] of places.entries()) {
    if (listed) entry.writeUInt16BE(place, HEADER + 2 * at);
    else setBit(entry.subarray(HEADER), place);
  }
  return entry;
}

function setBit(bitmap: Uint8Array, place: number): void {
  bitmap[place >> 3] = (bitmap[place >> 3] ?? 0) | (1 << (place & 7));
}
