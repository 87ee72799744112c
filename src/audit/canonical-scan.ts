import type { EventRow } from './event-row.js';

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
/** Members of an event that the columns beside it repeat: one more of them further on would be the one that counts. */
const REPEATED = ['id', 'at', 'tenant', 'action', 'actor', 'outcome'].map((name) => Buffer.from(`${name}"`));

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
  readonly #day = Buffer.alloc(DAY_BYTES);
  #dayMicros = Number.NaN;

  constructor(tenant: string) {
    this.#tenant = Buffer.from(tenant);
  }

  agrees(row: EventRow): boolean {
    this.#bytes = row.bytes;
    this.#at = row.start(6);
    this.#end = row.end(6);
    return this.#columnsOf(row) && this.#rest();
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
      this.#text(row.start(3), row.end(3)) &&
      this.#literal(ACTOR) &&
      this.#plain() &&
      this.#literal(ACTOR_ID) &&
      this.#text(row.start(4), row.end(4)) &&
      this.#restOfActor() &&
      this.#literal(OUTCOME) &&
      this.#text(row.start(5), row.end(5)) &&
      this.#byte(QUOTE)
    );
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
