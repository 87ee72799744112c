const NONE: Buffer = Buffer.alloc(0);
/** Of a message: its type in a byte, then its length, which counts itself. */
const LENGTH_AT = 1;
const BODY_AT = 5;
const LEAST_LENGTH = 4;
const COPY_DATA = 0x64;
const READY_FOR_QUERY = 0x5a;
/** Before the first row; and what stands instead of a number of columns after the last. */
const HEADER_BYTES = 19;
const END = -1;

/** Shows a row: it is these bytes of the buffer, and theirs only until the call returns. */
export type OnRow = (bytes: Buffer, start: number, end: number) => void;

export interface OtherMessages {
  /** Whole messages that are no rows. */
  other(messages: Buffer): void;
  /** The statement is over; called before the message that says so is shown. */
  over(): void;
}

/** Takes apart what the server sends while it copies rows out: each is shown where it lies, unless it came in two parts. */
export class RowMessages {
  over = false;
  /** What `onRow` has thrown: it is shown no more rows, and the statement goes on to its end. */
  failure: Error | undefined;
  #begun = false;
  /** The beginning of a message whose end has not come yet. */
  #split = NONE;

  constructor(
    private readonly onRow: OnRow,
    private readonly others: OtherMessages,
  ) {}

  /** Keeps nothing of the chunk. @throws where it is no message */
  read(chunk: Buffer): void {
    let at = this.#split.length === 0 ? 0 : this.#join(chunk);
    if (!this.over) at = this.#whole(chunk, at);
    if (at === chunk.length) return;
    // What follows the end of the statement is no longer its own either.
    if (this.over) this.#show(chunk, at, chunk.length);
    else this.#split = Buffer.from(chunk.subarray(at));
  }

  /** The message that was split, as far as the chunk has it; answers where the next one begins. */
  #join(chunk: Buffer): number {
    const split = this.#split;
    const head = split.length < BODY_AT ? Buffer.concat([split, chunk.subarray(0, BODY_AT)]) : split;
    const missing = (head.length < BODY_AT ? BODY_AT : messageEnd(head, 0)) - split.length;
    const joined = Buffer.concat([split, chunk.subarray(0, missing)]);
    if (chunk.length < missing) {
      this.#split = joined;
      return chunk.length;
    }
    this.#split = NONE;
    this.#whole(joined, 0);
    if (this.over) this.#show(joined, 0, joined.length);
    return missing;
  }

  /** The messages that are there as a whole; answers where the rest begins, or the message that ends the statement. */
  #whole(bytes: Buffer, from: number): number {
    let at = from;
    while (at + BODY_AT <= bytes.length) {
      const end = messageEnd(bytes, at);
      if (end > bytes.length) return at;
      if (bytes[at] === COPY_DATA) this.#row(bytes, at + BODY_AT, end);
      else if (bytes[at] === READY_FOR_QUERY) return this.#ends(at);
      else this.#show(bytes, at, end);
      at = end;
    }
    return at;
  }

  /** A copy: who is shown it may keep it. */
  #show(bytes: Buffer, start: number, end: number): void {
    this.others.other(Buffer.from(bytes.subarray(start, end)));
  }

  #ends(at: number): number {
    this.over = true;
    this.others.over();
    return at;
  }

  #row(bytes: Buffer, from: number, end: number): void {
    const start = this.#begun ? from : from + HEADER_BYTES;
    this.#begun = true;
    if (this.failure || start === end || bytes.readInt16BE(start) === END) return;
    try {
      this.onRow(bytes, start, end);
    } catch (error) {
      this.failure = error as Error;
    }
  }
}

function messageEnd(bytes: Buffer, at: number): number {
  const length = bytes.readUInt32BE(at + LENGTH_AT);
  if (length < LEAST_LENGTH) throw new Error('What the server sends is no message.');
  return at + LENGTH_AT + length;
}
