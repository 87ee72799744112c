import {
  chainHash,
  leafHash,
  LogWalk,
  NoteRefused,
  openCheckpoint,
  type Checkpoint,
  vouchesFor,
  type Beginning,
  type NoteVerifier,
} from '@waxell/transparency';
import { parsedLine, type BeginningLine, type EventLine } from './export-line.js';
import { found, Tampered, type Finding } from './finding.js';

export interface Verified {
  readonly events: number;
  /** Sizes of the checkpoints that agree. */
  readonly checkpoints: readonly number[];
  /** Where the file begins with a later event than the first. */
  readonly begins?: Begins;
  readonly finding?: Finding;
}

export interface Begins {
  readonly after: number;
  /** The event that says that what came before is gone as its time was over. */
  readonly vouchedBy?: number;
  /** Sizes of kept checkpoints that end before it: nothing in the file can be held against them. */
  readonly unheld: readonly number[];
}

/**
 * Verifies an export without asking anybody: the chain and the Merkle tree are recomputed from the events themselves and
 * held against the signed checkpoint at the end of the file and against those that the caller has kept.
 *
 * @param lines of the export, in their order, one or several at a time
 * @param kept notes of checkpoints that were kept elsewhere: only they show a log that was rewritten as a whole by who can sign
 * @param beginsAfter the event after which the caller knows the file to begin; otherwise an event in it has to say so
 */
export async function verifyExport(
  lines: AsyncIterable<string | readonly string[]> | Iterable<string | readonly string[]>,
  verifiers: readonly NoteVerifier[],
  kept: readonly string[],
  beginsAfter?: number,
): Promise<Verified> {
  const walk = new Walk(beginsAfter);
  try {
    const checkpoints = kept.map((note) => opened(note, verifiers));
    walk.expect(checkpoints);
    for await (const some of lines)
      for (const line of typeof some === 'string' ? [some] : some) {
        const value = parsedLine(line);
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
  /** The last event that is known to be as it was signed: to begin with, the last before the first. */
  #held = 0;
  #beginning: Beginning | undefined;
  #vouchedBy: number | undefined;
  readonly #unheld: number[] = [];

  constructor(private readonly beginsAfter: number | undefined) {}

  expect(checkpoints: readonly Checkpoint[]): void {
    for (const checkpoint of checkpoints) {
      this.#sameLog(checkpoint);
      this.#expected.set(checkpoint.size, [...(this.#expected.get(checkpoint.size) ?? []), checkpoint]);
    }
  }

  /**
   * Events before this one were kept for their time and are gone. What is stated of them is not believed: with another tree
   * than theirs no checkpoint agrees, and that their time was over an event has to say.
   */
  begin({ after, chain, frontier }: BeginningLine): void {
    if (this.#seq > 0 || this.#ended)
      found('malformed', undefined, 'Only the first line says where a log begins.');
    this.#seq = after;
    this.#held = after;
    const beginning = {
      seq: after,
      chain: Buffer.from(chain, 'base64'),
      frontier: Buffer.from(frontier, 'base64'),
    };
    this.#beginning = beginning;
    this.#log = new LogWalk(after, beginning.chain, beginning.frontier);
    for (const size of this.#expected.keys()) if (size < after) this.#unheld.push(size);
    for (const size of this.#unheld) this.#expected.delete(size);
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
      if (this.#beginning && vouchesFor(event, this.#beginning)) this.#vouchedBy = seq;
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
    if (this.#beginning) this.#mayBegin(this.#beginning.seq);
  }

  result(): Verified {
    const begins = this.#beginning && {
      after: this.#beginning.seq,
      ...(this.#vouchedBy !== undefined && { vouchedBy: this.#vouchedBy }),
      unheld: [...this.#unheld],
    };
    return { events: this.#events, checkpoints: [...this.#agreeing], ...(begins && { begins }) };
  }

  /** Whoever deletes events can state that their time was over; what follows was hashed before it was stated. */
  #mayBegin(after: number): void {
    if (after === this.beginsAfter) return;
    const told = `Whoever knows that this is as it should be says so: --begins-after ${after}`;
    if (this.#vouchedBy === undefined)
      found(
        'beginning_missing',
        1,
        `Events 1 to ${after} are gone, and no event in the file says that their time was over. ${told}`,
      );
    if (this.#unheld.length > 0)
      found(
        'checkpoint_unheld',
        undefined,
        `Event ${this.#vouchedBy} says that the time of events 1 to ${after} was over: nothing is left that the kept checkpoints of ${this.#unheld.join(', ')} events could be held against. ${told}`,
      );
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
    this.#held = checkpoint.size;
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
        ? this.#contentAltered(broken.seq)
        : `Event ${broken.seq} does not follow from the events before it.`,
    );
  }

  /** The links alone cannot say of which of two it is, where the one before has a link that was made anew. */
  #contentAltered(seq: number): string {
    const known = this.#held === seq - 1;
    return known
      ? `The content of event ${seq} is not what was logged.`
      : `The content of event ${seq} is not what was logged, or that of event ${seq - 1}, with its link.`;
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
