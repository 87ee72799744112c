const [QUOTE, COLON] = [0x22, 0x3a];
/** All bits of a word: none of its bytes is the text of a value. */
const ALL = -1;
/** All of its bytes are. */
const NONE = 0;
/** Four bytes that stand for themselves, in place of those that are compared. */
const PLAIN = 0x61616161;
/** The top bit of each byte of a word, as the whole number of 32 bits that it is. */
const TOP_BITS = -0x7f7f7f80;

/**
 * What an event of plain JSON has in common with those that differ from it in the text of its values alone: they are read
 * the same way, member for member, each value at the same place. Compared four bytes at a time, since it is done for
 * every event of a log.
 */
export class EventShape {
  readonly length: number;
  /** All bits of the bytes that are compared, none of those that are the text of a value. */
  readonly #compared: Int32Array;
  /** What the bytes that are compared are. */
  readonly #bytes: Int32Array;
  /** Where words end that have both, that are compared, and that are text, one kind after the other and again. */
  readonly #ends: Int32Array;

  /** @param event that `CanonicalScan` knows: JSON without a backslash, so that strings end at the next quote */
  constructor(event: Buffer) {
    this.length = event.length;
    const words = Math.ceil(event.length / 4);
    const compared = Buffer.alloc(4 * words, 0xff);
    for (let at = event.indexOf(QUOTE); at >= 0;) {
      const end = event.indexOf(QUOTE, at + 1);
      // Names are compared: what a member is called decides what it is.
      if (event[end + 1] !== COLON) compared.fill(0, at + 1, end);
      at = event.indexOf(QUOTE, end + 1);
    }
    const bytes = Buffer.alloc(4 * words);
    event.copy(bytes);
    this.#compared = wordsOf(compared);
    this.#bytes = wordsOf(bytes).map((word, at) => word & (this.#compared[at] ?? 0));
    this.#ends = endsOf(this.#compared);
  }

  /**
   * Whether an event of the same length has this shape, and none of its texts a byte that does not stand for itself.
   *
   * @param words the event, and zeros up to the end of the last word
   */
  fits(words: Int32Array): boolean {
    const [compared, bytes, ends] = [this.#compared, this.#bytes, this.#ends];
    let at = 0;
    let other = 0;
    let special = 0;
    for (let kind = 0; kind < ends.length; kind += 3) {
      for (const end = ends[kind] as number; at < end; at += 1) {
        const word = words[at] as number;
        const mask = compared[at] as number;
        other |= (word & mask) ^ (bytes[at] as number);
        special |= specialIn((word & ~mask) | (PLAIN & mask));
      }
      for (const end = ends[kind + 1] as number; at < end; at += 1)
        other |= (words[at] as number) ^ (bytes[at] as number);
      for (const end = ends[kind + 2] as number; at < end; at += 1) special |= specialIn(words[at] as number);
    }
    return other === 0 && (special & TOP_BITS) === 0;
  }
}

/**
 * Has the top bit of a byte that is beyond ASCII, a control character, a quote or a backslash, and none where there is no
 * such byte: a test carries over into the next byte only from one. Whole numbers of 32 bits throughout take half the time.
 */
function specialIn(text: number): number {
  const controls = (text - 0x20202020) | 0;
  const quotes = ((text ^ 0x22222222) - 0x01010101) | 0;
  const backslashes = ((text ^ 0x5c5c5c5c) - 0x01010101) | 0;
  return text | controls | quotes | backslashes;
}

function endsOf(compared: Int32Array): Int32Array {
  const ends: number[] = [];
  for (let at = 0; at < compared.length;) {
    while (at < compared.length && compared[at] !== ALL && compared[at] !== NONE) at += 1;
    ends.push(at);
    for (const kind of [ALL, NONE]) {
      while (compared[at] === kind) at += 1;
      ends.push(at);
    }
  }
  return Int32Array.from(ends);
}

function wordsOf({ buffer, byteOffset, length }: Buffer): Int32Array {
  return new Int32Array(buffer, byteOffset, length / 4);
}
