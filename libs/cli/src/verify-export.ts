import {
  chainHash,
  HASH_LENGTH,
  leafHash,
  LogWalk,
  NoteRefused,
  openCheckpoint,
  type Checkpoint,
  type NoteVerifier,
} from '@waxell/transparency';

/** What was done to a log, as far as it can be told from what is left of it. */
export type Tampering =
  | 'event_altered'
  | 'hash_altered'
  | 'event_missing'
  | 'event_inserted'
  | 'truncated'
  | 'rewritten'
  | 'checkpoint_forged'
  | 'checkpoint_missing'
  | 'malformed';

export interface Finding {
  readonly kind: Tampering;
  /** The first event that is not as it was written; absent where it is the checkpoint. */
  readonly seq?: number;
  readonly message: string;
}

export interface Verified {
  readonly events: number;
  /** Sizes of the checkpoints that agree; those of before the first event of the file are not held against anything. */
  readonly checkpoints: readonly number[];
  readonly finding?: Finding;
}

/** Where a log begins whose beginning is gone: after this event, with chain and tree as they stood there. */
interface BeginningLine {
  readonly after: number;
  readonly chain: string;
  readonly frontier: string;
}

interface EventLine {
  readonly seq: number;
  readonly event: string;
  readonly chain: string;
}

/**
 * Verifies an export without asking anybody: the chain and the Merkle tree are recomputed from the events themselves and
 * held against the signed checkpoint at the end of the file and against those that the caller has kept.
 *
 * @param lines of the export, in their order, one or several at a time
 * @param kept notes of checkpoints that were kept elsewhere: only they show a log that was rewritten as a whole by who can sign
 */
export async function verifyExport(
  lines: AsyncIterable<string | readonly string[]> | Iterable<string | readonly string[]>,
  verifiers: readonly NoteVerifier[],
  kept: readonly string[],
): Promise<Verified> {
  const walk = new Walk();
  try {
    const checkpoints = kept.map((note) => opened(note, verifiers));
    walk.expect(checkpoints);
    for await (const some of lines)
      for (const line of typeof some === 'string' ? [some] : some) {
        const value = parsed(line);
        if ('checkpoint' in value) walk.end(opened(value.checkpoint, verifiers));
        else if ('after' in value) walk.begin(value);
        else walk.take(value);
      }
    walk.finish();
    return walk.result();
  } catch (error) {
    if (error instanceof Tampered) return { ...walk.result(), finding: error.finding };
    throw error;
  }
}

class Tampered extends Error {
  constructor(readonly finding: Finding) {
    super(finding.message);
  }
}

function found(kind: Tampering, seq: number | undefined, message: string): never {
  throw new Tampered({ kind, ...(seq !== undefined && { seq }), message });
}

class Walk {
  /** Up to the last event that follows from those before it. */
  #log = new LogWalk(0);
  #seq = 0;
  #events = 0;
  /** By size: what the log has to be there. */
  readonly #expected = new Map<number, Checkpoint[]>();
  #origin: string | undefined;
  #ended = false;
  /** A link that does not follow from its event: what it means shows at the next one. */
  #broken: { readonly seq: number; readonly stated: Buffer } | undefined;
  readonly #agreeing: number[] = [];

  expect(checkpoints: readonly Checkpoint[]): void {
    for (const checkpoint of checkpoints) {
      this.#sameLog(checkpoint);
      this.#expected.set(checkpoint.size, [...(this.#expected.get(checkpoint.size) ?? []), checkpoint]);
    }
  }

  /**
   * Events before this one were kept for their time and are gone. What is stated of them is not believed: with another tree
   * than theirs no checkpoint agrees.
   */
  begin({ after, chain, frontier }: BeginningLine): void {
    if (this.#seq > 0 || this.#ended)
      found('malformed', undefined, 'Only the first line says where a log begins.');
    this.#seq = after;
    this.#log = new LogWalk(after, Buffer.from(chain, 'base64'), Buffer.from(frontier, 'base64'));
    for (const size of this.#expected.keys()) if (size < after) this.#expected.delete(size);
    this.#hold();
  }

  take({ seq, event, chain }: EventLine): void {
    if (this.#ended) found('malformed', seq, `Event ${seq} comes after the checkpoint that ends the file.`);
    const next = this.#seq + 1;
    const bytes = Buffer.from(event);
    const stated = Buffer.from(chain, 'base64');
    if (this.#broken) this.#tellBreak(seq, leafHash(bytes), stated);
    if (seq > next)
      found('event_missing', next, `Event ${next} is missing: the next one in the file is ${seq}.`);
    if (seq < next)
      found('event_inserted', next, `Where event ${next} belongs there is one with the number ${seq}.`);
    this.#seq = seq;
    this.#events += 1;
    this.#log.offer(bytes);
    if (this.#log.linkIs(stated)) {
      this.#log.take();
      this.#hold();
    } else this.#broken = { seq, stated };
  }

  end(checkpoint: Checkpoint): void {
    if (this.#ended) found('malformed', undefined, 'The file has two checkpoints at its end.');
    this.#ended = true;
    this.#tellLastBreak();
    this.#sameLog(checkpoint);
    if (checkpoint.size > this.#seq)
      found(
        'truncated',
        this.#seq + 1,
        `The log had ${checkpoint.size} events; from ${this.#seq + 1} on they are gone.`,
      );
    if (checkpoint.size < this.#seq)
      found(
        'event_inserted',
        checkpoint.size + 1,
        `The log had ${checkpoint.size} events; those after them were put there.`,
      );
    this.#agrees(checkpoint);
  }

  finish(): void {
    this.#tellLastBreak();
    if (!this.#ended)
      found(
        'checkpoint_missing',
        this.#seq + 1,
        'The file does not end with a checkpoint: its end was cut off.',
      );
    for (const size of this.#expected.keys()) {
      if (size > this.#seq)
        found(
          'truncated',
          this.#seq + 1,
          `A checkpoint that was kept covers ${size} events; here are ${this.#seq}.`,
        );
    }
  }

  result(): Verified {
    return { events: this.#events, checkpoints: [...this.#agreeing] };
  }

  #hold(): void {
    const expected = this.#expected.get(this.#seq);
    if (expected) for (const checkpoint of expected) this.#agrees(checkpoint);
  }

  #agrees(checkpoint: Checkpoint): void {
    if (!this.#log.root().equals(checkpoint.root)) {
      const since = this.#agreeing.at(-1) ?? 0;
      found(
        'rewritten',
        since + 1,
        `The events up to ${checkpoint.size} are not those of the checkpoint: the log was rewritten somewhere from event ${since + 1} on.`,
      );
    }
    this.#agreeing.push(checkpoint.size);
  }

  /**
   * An event's link is not what its content gives. Where the next link follows from the stated one, the links are the
   * original ones and the event is not; otherwise it is the link that was altered.
   */
  #tellBreak(seq: number, leaf: Buffer, stated: Buffer): never {
    const broken = this.#broken;
    if (!broken) throw new Error('There is no break to tell of.');
    const original = chainHash(broken.stated, seq, leaf).equals(stated);
    found(
      original ? 'event_altered' : 'hash_altered',
      broken.seq,
      original
        ? `The content of event ${broken.seq} is not what was logged.`
        : `Event ${broken.seq} does not follow from the events before it.`,
    );
  }

  #tellLastBreak(): void {
    if (this.#broken)
      found(
        'event_altered',
        this.#broken.seq,
        `Event ${this.#broken.seq}, the last one, is not what was logged.`,
      );
  }

  #sameLog({ origin }: Checkpoint): void {
    this.#origin ??= origin;
    if (origin !== this.#origin)
      found(
        'checkpoint_forged',
        undefined,
        `A checkpoint is of the log ${origin}, another of ${this.#origin}.`,
      );
  }
}

function opened(note: string, verifiers: readonly NoteVerifier[]): Checkpoint {
  try {
    return openCheckpoint(note, verifiers);
  } catch (error) {
    if (error instanceof NoteRefused)
      return found('checkpoint_forged', undefined, `A checkpoint is not valid: ${error.message}`);
    throw error;
  }
}

function parsed(line: string): EventLine | BeginningLine | { readonly checkpoint: string } {
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
