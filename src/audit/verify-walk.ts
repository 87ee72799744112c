import { chainHash, Frontier, leafHash } from '@waxell/transparency';
import { searchColumns } from './audit-event.js';
import type { ColdRange, LogBeginning } from './cold-log.js';
import type { StoredEvent } from './stored-event.js';

/** The first event that is not as it was written, and what was done to it. */
export interface Finding {
  readonly seq: number;
  readonly id?: string;
  readonly kind:
    | 'event_altered'
    | 'columns_altered'
    | 'hash_altered'
    | 'event_missing'
    | 'event_inserted'
    | 'log_truncated'
    | 'head_altered';
  readonly message: string;
}

export interface Verification {
  readonly valid: boolean;
  /** Events that were checked. */
  readonly checked: number;
  /** The first of them: what came before it was kept for its time, and is gone. */
  readonly first: number;
  /** Head of the log as recomputed: keep it, and a later verification can be held against it. */
  readonly head: { readonly seq: number; readonly chainHash: string; readonly rootHash: string };
  readonly finding?: Finding;
}

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

/** Recomputes a log event by event, and notes the first that does not fit. */
export class VerifyWalk {
  seq: number;
  checked = 0;
  finding: Finding | undefined;
  #chain: Buffer;
  readonly #frontier: Frontier;

  constructor(
    private readonly tenant: string,
    { seq, chain, frontier }: LogBeginning,
  ) {
    this.seq = seq;
    this.#chain = chain;
    this.#frontier = Frontier.of(frontier, seq);
  }

  /** An event in the database, with what stands beside it. */
  check(row: CheckedRow): void {
    const seq = this.seq + 1;
    if (Number(row.seq) !== seq) return this.#outOfOrder(seq, Number(row.seq));
    const leaf = leafHash(row.event);
    if (!leaf.equals(row.leaf_hash)) {
      return this.found(seq, 'event_altered', `The content of event ${seq} is not what was hashed.`, row.id);
    }
    if (!chainHash(this.#chain, seq, leaf).equals(row.chain_hash)) {
      return this.found(
        seq,
        'hash_altered',
        `Event ${seq} does not follow from the events before it.`,
        row.id,
      );
    }
    const search = searchColumns(row.event, this.tenant);
    const same =
      search !== undefined &&
      search.id === row.id &&
      search.at === row.at &&
      search.action === row.action &&
      search.actor === row.actor &&
      search.outcome === row.outcome;
    if (!same) {
      return this.found(
        seq,
        'columns_altered',
        `The search columns of event ${seq} do not say what the event says.`,
        row.id,
      );
    }
    this.#take(seq, leaf);
  }

  /** An event of a cold object: its link is all that stands beside it. */
  checkCold({ seq: stored, event, chain }: StoredEvent): void {
    const seq = this.seq + 1;
    if (stored !== seq) return this.#outOfOrder(seq, stored);
    const leaf = leafHash(event);
    // A neighbour's events follow from one another as well.
    if (!searchColumns(event, this.tenant) || !chainHash(this.#chain, seq, leaf).equals(chain))
      return this.found(seq, 'event_altered', `Event ${seq}, in cold storage, is not what was logged.`);
    this.#take(seq, leaf);
  }

  /** What was noted when the last events were stored cold. */
  checkColdEnd({ last, chain, frontier }: ColdRange): void {
    if (this.seq !== last || !chain.equals(this.#chain) || !frontier.equals(this.#frontier.bytes()))
      this.found(
        last,
        'hash_altered',
        `The events in cold storage up to ${last} are not those that were stored.`,
      );
  }

  checkHead(head: { chain_hash: Buffer; frontier: Buffer }): void {
    if (!head.chain_hash.equals(this.#chain) || !head.frontier.equals(this.#frontier.bytes())) {
      this.found(
        this.seq,
        'head_altered',
        `The head of the log does not follow from its ${this.seq} events.`,
      );
    }
  }

  truncated(size: number): void {
    this.found(
      this.seq + 1,
      'log_truncated',
      `The log has ${size} events by its head; from ${this.seq + 1} on they are gone.`,
    );
  }

  found(seq: number, kind: Finding['kind'], message: string, id?: string): void {
    this.finding = { seq, kind, message, ...(id && { id }) };
  }

  #outOfOrder(seq: number, stored: number): void {
    if (stored > seq)
      this.found(seq, 'event_missing', `Event ${seq} is missing: the next one stored is ${stored}.`);
    else
      this.found(
        seq,
        'event_inserted',
        `Where event ${seq} belongs there is another with the number ${stored}.`,
      );
  }

  #take(seq: number, leaf: Buffer): void {
    this.seq = seq;
    this.checked += 1;
    this.#chain = chainHash(this.#chain, seq, leaf);
    this.#frontier.append(leaf);
  }

  result(): Verification {
    return {
      valid: this.finding === undefined,
      checked: this.checked,
      first: this.seq - this.checked + 1,
      head: {
        seq: this.seq,
        chainHash: this.#chain.toString('hex'),
        rootHash: this.#frontier.root().toString('hex'),
      },
      ...(this.finding && { finding: this.finding }),
    };
  }
}
