import type { EventRow } from './event-row.js';
import { EventShape } from './event-shape.js';

/** Bytes of a string that stand for themselves: printable ASCII but the quote and the backslash. */
const PLAIN = new Uint8Array(256);
for (let byte = 0x20; byte < 0x7f; byte += 1) PLAIN[byte] = byte === 0x22 || byte === 0x5c ? 0 : 1;
const HEX = Buffer.from('0123456789abcdef');
const [QUOTE, COMMA, COLON, MINUS, DOT] = [0x22, 0x2c, 0x3a, 0x2d, 0x2e];
const [ZERO, NINE, BRACE, BRACE_END, BRACKET, BRACKET_END] = [0x30, 0x39, 0x7b, 0x7d, 0x5b, 0x5d];
const DEEPEST = 32;
const TEXT_BYTES = 200;
const DAY_BYTES = 10;
const DAY_MICROS = 86_400_000_000;
/** Up to the year 2200 microseconds are exact in a number. */
const LATEST_MS = Date.UTC(2200, 0);

const BEGINNING = Buffer.from('{"v":1,"id":"');
const AT = Buffer.from('","at":"');
const TENANT = Buffer.from('","tenant":"');
const REGION = Buffer.from('","region":"');
const ACTION = Buffer.from('","action":"');
const ACTOR = Buffer.from('","actor":{"type":"');
const ACTOR_ID = Buffer.from('","id":"');
const OF_ACTOR = ['","userId":"', '","sessionId":"', '","onBehalfOf":"'].map((text) => Buffer.from(text));
const ACTOR_END = Buffer.from('"}');
const OUTCOME = Buffer.from(',"outcome":"');
const LITERALS = ['true', 'false', 'null'].map((text) => Buffer.from(text));
const ID_AT = BEGINNING.length;
const TIME_AT = ID_AT + 36 + AT.length;
const TENANT_AT = TIME_AT + 27 + TENANT.length;
/** Lengths of events of which a shape is kept; and how often it may not be an event's before it gives way to another. */
const SHAPES = 256;
const MISSES = 16;
/** Members of an event that the columns beside it repeat: one more of them further on would be the one that counts. */
const REPEATED = ['id', 'at', 'tenant', 'action', 'actor', 'outcome'].map((name) => Buffer.from(`${name}"`));

/** What is known of the events of a length: the shape that one of them had, and where columns stand in it, from its beginning. */
interface Known {
  /** Events that have not had it, one after the other. */
  misses: number;
  readonly action: Place;
  readonly actor: Place;
  readonly outcome: Place;
  readonly shape: EventShape;
}

interface Place {
  readonly start: number;
  readonly end: number;
}

/**
 * Tells whether an event says what the columns beside it say, without making anything of it. Knows the form in which
 * events are made (`canonicalEvent`) of plain ASCII, and nothing else: where it says no, `searchColumns` has to be asked.
 * Where it says yes, that would have said so too.
 */
export class CanonicalScan {
  readonly #tenant: Buffer;
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;
  /** Where the columns of an event were found in the buffer. */
  readonly #columns = new Int32Array(6);
  readonly #known = new Map<number, Known>();
  readonly #day = Buffer.alloc(DAY_BYTES);
  #dayMicros = Number.NaN;

  constructor(tenant: string) {
    this.#tenant = Buffer.from(tenant);
  }

  /** @param words the event once more, as `EventShape` compares it; without them it is always read byte by byte */
  agrees(row: EventRow, words?: Int32Array): boolean {
    this.#bytes = row.bytes;
    const start = row.start(6);
    this.#at = start;
    this.#end = row.end(6);
    const length = this.#end - start;
    if (!words || length > words.byteLength) return this.#columnsOf(row) && this.#rest();
    const known = this.#known.get(length);
    if (known?.shape.fits(words) && this.#columnsAt(start, row, known)) {
      known.misses = 0;
      return true;
    }
    this.#at = start;
    if (!this.#columnsOf(row) || !this.#rest()) return false;
    this.#note(row, known);
    return true;
  }

  #columnsOf(row: EventRow): boolean {
    return (
      this.#literal(BEGINNING) &&
      this.#uuid(row.start(1)) &&
      this.#literal(AT) &&
      this.#time(row.micros) &&
      this.#literal(TENANT) &&
      this.#literal(this.#tenant) &&
      this.#literal(REGION) &&
      this.#plain() &&
      this.#literal(ACTION) &&
      this.#column(row, 3) &&
      this.#literal(ACTOR) &&
      this.#plain() &&
      this.#literal(ACTOR_ID) &&
      this.#column(row, 4) &&
      this.#restOfActor() &&
      this.#literal(OUTCOME) &&
      this.#column(row, 5) &&
      this.#byte(QUOTE)
    );
  }

  #column(row: EventRow, column: number): boolean {
    this.#columns[column] = this.#at;
    return this.#text(row.start(column), row.end(column));
  }

  /** Keeps the shape of an event, unless there is one of its length that others have. */
  #note(row: EventRow, known: Known | undefined): void {
    if (known ? (known.misses += 1) < MISSES : this.#known.size >= SHAPES) return;
    const start = row.start(6);
    const place = (column: number): Place => {
      const at = (this.#columns[column] ?? 0) - start;
      return { start: at, end: at + row.end(column) - row.start(column) };
    };
    const shape = new EventShape(row.event);
    this.#known.set(shape.length, {
      misses: 0,
      action: place(3),
      actor: place(4),
      outcome: place(5),
      shape,
    });
  }

  /** Of an event that is known to have its columns at these places. */
  #columnsAt(start: number, row: EventRow, { action, actor, outcome }: Known): boolean {
    this.#at = start + ID_AT;
    if (!this.#uuid(row.start(1))) return false;
    this.#at = start + TIME_AT;
    if (!this.#time(row.micros)) return false;
    this.#at = start + TENANT_AT;
    return (
      this.#literal(this.#tenant) &&
      this.#textAt(start, action, row, 3) &&
      this.#textAt(start, actor, row, 4) &&
      this.#textAt(start, outcome, row, 5)
    );
  }

  #textAt(start: number, place: Place, row: EventRow, column: number): boolean {
    this.#at = start + place.start;
    return this.#text(row.start(column), row.end(column)) && this.#at === start + place.end;
  }

  #restOfActor(): boolean {
    for (const name of OF_ACTOR) if (this.#literal(name) && !this.#plain()) return false;
    return this.#literal(ACTOR_END);
  }

  /** The other members, up to the end. */
  #rest(): boolean {
    while (this.#byte(COMMA)) {
      if (!this.#byte(QUOTE) || this.#repeats()) return false;
      if (!this.#plain() || !this.#byte(QUOTE) || !this.#byte(COLON) || !this.#value(1)) return false;
    }
    return this.#byte(BRACE_END) && this.#at === this.#end;
  }

  #repeats(): boolean {
    for (const name of REPEATED) if (this.#bytes[this.#at] === name[0] && this.#literal(name)) return true;
    return false;
  }

  #value(depth: number): boolean {
    const first = this.#bytes[this.#at];
    if (first === QUOTE) return this.#string();
    if (first === BRACE) return depth < DEEPEST && this.#members(depth, BRACE_END, true);
    if (first === BRACKET) return depth < DEEPEST && this.#members(depth, BRACKET_END, false);
    return this.#number() || LITERALS.some((literal) => this.#literal(literal));
  }

  #members(depth: number, end: number, named: boolean): boolean {
    this.#at += 1;
    if (this.#byte(end)) return true;
    do {
      if (named && !(this.#string() && this.#byte(COLON))) return false;
      if (!this.#value(depth + 1)) return false;
    } while (this.#byte(COMMA));
    return this.#byte(end);
  }

  #string(): boolean {
    return this.#byte(QUOTE) && this.#plain() && this.#byte(QUOTE);
  }

  /** Whole numbers and decimals as JSON.stringify writes the usual ones; with an exponent they are none of ours. */
  #number(): boolean {
    const from = this.#at;
    this.#byte(MINUS);
    const first = this.#at;
    if (!this.#digits()) return this.#backTo(from);
    if (this.#bytes[first] === ZERO && this.#at > first + 1) return this.#backTo(from);
    return !this.#byte(DOT) || this.#digits() || this.#backTo(from);
  }

  #digits(): boolean {
    const from = this.#at;
    while (this.#at < this.#end && isDigit(this.#bytes[this.#at])) this.#at += 1;
    return this.#at > from;
  }

  #backTo(at: number): false {
    this.#at = at;
    return false;
  }

  /** To the next byte of a string that does not stand for itself. */
  #plain(): boolean {
    const [bytes, end] = [this.#bytes, this.#end];
    let at = this.#at;
    while (at < end && PLAIN[bytes[at] as number] === 1) at += 1;
    this.#at = at;
    return at < end;
  }

  #byte(byte: number): boolean {
    if (this.#at >= this.#end || this.#bytes[this.#at] !== byte) return false;
    this.#at += 1;
    return true;
  }

  #literal(text: Buffer): boolean {
    const [bytes, from, length] = [this.#bytes, this.#at, text.length];
    if (from + length > this.#end) return false;
    for (let at = 0; at < length; at += 1) if (bytes[from + at] !== text[at]) return false;
    this.#at = from + length;
    return true;
  }

  /** What a column has, which stands for itself. */
  #text(start: number, end: number): boolean {
    const [bytes, from, length] = [this.#bytes, this.#at, end - start];
    if (length > TEXT_BYTES || from + length > this.#end) return false;
    for (let at = 0; at < length; at += 1) {
      const byte = bytes[start + at] as number;
      if (PLAIN[byte] !== 1 || bytes[from + at] !== byte) return false;
    }
    this.#at = from + length;
    return true;
  }

  /** 16 bytes, as their 36 characters. */
  #uuid(start: number): boolean {
    const bytes = this.#bytes;
    let at = this.#at;
    if (at + 36 > this.#end) return false;
    for (let byte = 0; byte < 16; byte += 1) {
      if (byte === 4 || byte === 6 || byte === 8 || byte === 10) if (bytes[at++] !== MINUS) return false;
      const value = bytes[start + byte] as number;
      if (bytes[at++] !== HEX[value >> 4] || bytes[at++] !== HEX[value & 15]) return false;
    }
    this.#at = at;
    return true;
  }

  /** `2026-01-31T12:00:00.000000Z`, which is so many microseconds. */
  #time(micros: number): boolean {
    const from = this.#at;
    if (from + 27 > this.#end) return false;
    if (!this.#sameDay(from)) {
      this.#bytes.copy(this.#day, 0, from, from + DAY_BYTES);
      this.#dayMicros = microsOf(this.#day.toString('latin1'));
    }
    const hours = this.#pair(from + 11);
    const minutes = this.#pair(from + 14);
    const seconds = this.#pair(from + 17);
    const fraction = this.#pair(from + 20) * 10_000 + this.#pair(from + 22) * 100 + this.#pair(from + 24);
    const ofDay = (hours * 3_600 + minutes * 60 + seconds) * 1_000_000 + fraction;
    this.#at = from + 27;
    return (
      hours < 24 &&
      minutes < 60 &&
      seconds < 60 &&
      ofDay < DAY_MICROS &&
      this.#dayMicros + ofDay === micros &&
      this.#separated(from)
    );
  }

  #sameDay(from: number): boolean {
    for (let at = 0; at < DAY_BYTES; at += 1) if (this.#bytes[from + at] !== this.#day[at]) return false;
    return true;
  }

  #separated(from: number): boolean {
    const bytes = this.#bytes;
    return (
      bytes[from + 10] === 0x54 &&
      bytes[from + 13] === COLON &&
      bytes[from + 16] === COLON &&
      bytes[from + 19] === DOT &&
      bytes[from + 26] === 0x5a
    );
  }

  /** Two digits; not a number where they are none. */
  #pair(at: number): number {
    const [tens, ones] = [this.#bytes[at], this.#bytes[at + 1]];
    if (!isDigit(tens) || !isDigit(ones)) return Number.NaN;
    return ((tens as number) - ZERO) * 10 + (ones as number) - ZERO;
  }
}

/** When a day begins; not a number of one that there is not. */
function microsOf(day: string): number {
  const time = /^\d{4}-\d{2}-\d{2}$/.test(day) ? Date.parse(`${day}T00:00:00Z`) : Number.NaN;
  const exists = Math.abs(time) < LATEST_MS && new Date(time).toISOString().startsWith(day);
  return exists ? time * 1_000 : Number.NaN;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE;
}
