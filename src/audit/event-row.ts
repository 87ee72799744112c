/** An event as it stands in the database. */
export interface CheckedRow {
  seq: string;
  id: string;
  at: string;
  action: string;
  actor: string;
  outcome: string;
  event: Buffer;
  leaf_hash: Buffer;
  chain_hash: Buffer;
}

/** The columns that `EventRow` reads, in this order. */
export const ROW_COLUMNS = 'seq, id, at, action, actor, outcome, event, leaf_hash, chain_hash';
const COLUMNS = 9;
const LENGTH = 4;
/** From 1970, from which the process counts, to 2000, from which the server does. */
const EPOCH_MICROS = 946_684_800_000_000n;

/** An event's row in binary, looked at where it lies: no copies are made of it but those that are asked for. */
export class EventRow {
  bytes: Buffer = Buffer.alloc(0);
  readonly #starts = new Int32Array(COLUMNS);
  readonly #ends = new Int32Array(COLUMNS);

  /** False where it has not the columns that it should have. */
  read(bytes: Buffer, from = 0): boolean {
    this.bytes = bytes;
    if (bytes.readInt16BE(from) !== COLUMNS) return false;
    const [starts, ends] = [this.#starts, this.#ends];
    for (let column = 0, at = from + 2; column < COLUMNS; column += 1) {
      const length = lengthAt(bytes, at);
      if (length < 0) return false;
      starts[column] = at + LENGTH;
      ends[column] = at += LENGTH + length;
    }
    return true;
  }

  /** Where a column begins: 0 seq, 1 id, 2 at, 3 action, 4 actor, 5 outcome, 6 event, 7 leaf, 8 chain. */
  start(column: number): number {
    return this.#starts[column] ?? 0;
  }

  end(column: number): number {
    return this.#ends[column] ?? 0;
  }

  get seq(): number {
    const at = this.start(0);
    return this.bytes.readInt32BE(at) * 2 ** 32 + this.bytes.readUInt32BE(at + 4);
  }

  /** Microseconds since 1970, where they are exact. */
  get micros(): number {
    const at = this.start(2);
    return this.bytes.readInt32BE(at) * 2 ** 32 + this.bytes.readUInt32BE(at + 4) + Number(EPOCH_MICROS);
  }

  get event(): Buffer {
    return this.bytes.subarray(this.start(6), this.end(6));
  }

  /** As the database would have written it. */
  checked(): CheckedRow {
    const hex = this.bytes.toString('hex', this.start(1), this.end(1));
    return {
      seq: String(this.seq),
      id: hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
      at: timestampOf(this.bytes.readBigInt64BE(this.start(2)) + EPOCH_MICROS),
      action: this.#text(3),
      actor: this.#text(4),
      outcome: this.#text(5),
      event: Buffer.from(this.event),
      leaf_hash: Buffer.from(this.bytes.subarray(this.start(7), this.end(7))),
      chain_hash: Buffer.from(this.bytes.subarray(this.start(8), this.end(8))),
    };
  }

  #text(column: number): string {
    return this.bytes.toString('utf8', this.start(column), this.end(column));
  }
}

/** As `readInt32BE`, which costs more than a row has time for; beyond the end it is 0. */
function lengthAt(bytes: Buffer, at: number): number {
  return (
    ((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  );
}

/** RFC 3339 in UTC with six digits after the second; of a time that has no such form, something else. */
function timestampOf(micros: bigint): string {
  const millis = Number(micros / 1_000n);
  const rest = Number(micros % 1_000n);
  if (rest < 0 || millis < 0 || millis > 253_402_300_799_999) return `${micros} microseconds`;
  return `${new Date(millis).toISOString().slice(0, -1)}${String(rest).padStart(3, '0')}Z`;
}
