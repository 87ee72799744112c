import { LogWalk, vouchesFor, type Beginning } from '@waxell/transparency';
import { searchColumns } from './audit-event.js';
import { CanonicalScan } from './canonical-scan.js';
import type { ColdRange, LogBeginning } from './cold-log.js';
import { EventRow, type CheckedRow } from './event-row.js';
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

/** Recomputes a log event by event, and notes the first that does not fit. */
export class VerifyWalk {
  checked = 0;
  finding: Finding | undefined;
  readonly #walk: LogWalk;
  readonly #scan: CanonicalScan;
  readonly #row = new EventRow();
  /** The event that says why the log begins where it does, as it was taken. */
  #voucher: Buffer | undefined;

  constructor(
    private readonly tenant: string,
    private readonly beginning: LogBeginning,
  ) {
    const { seq, chain, frontier } = beginning;
    this.#walk = new LogWalk(seq, chain, frontier);
    this.#scan = new CanonicalScan(tenant);
  }

  /** The last event that was checked. */
  get seq(): number {
    return this.#walk.seq;
  }

  /** Where another walk can go on. */
  get place(): Beginning {
    return { seq: this.#walk.seq, chain: this.#walk.chain, frontier: this.#walk.frontier() };
  }

  /**
   * An event in the database, as its row came in binary, if all of it is as it should be. Otherwise it is not taken, and
   * `check` says what is wrong with it; that one comes once more is found here.
   */
  agrees(bytes: Buffer, from = 0): boolean {
    const [row, walk] = [this.#row, this.#walk];
    if (!row.read(bytes, from)) return false;
    if (row.seq <= walk.seq) this.#outOfOrder(walk.seq + 1, row.seq);
    if (row.seq !== walk.seq + 1) return false;
    walk.offer(bytes, row.start(6), row.end(6));
    if (
      !walk.leafIs(bytes, row.start(7), row.end(7)) ||
      !walk.linkIs(bytes, row.start(8), row.end(8)) ||
      !(this.#scan.agrees(row, walk.words) || this.#sameColumns(row.checked()))
    )
      return false;
    this.#take();
    if (row.seq === this.beginning.vouchedBy) this.#voucher = Buffer.from(row.event);
    return true;
  }

  /** An event in the database, with what stands beside it. */
  check(row: CheckedRow): void {
    const seq = this.seq + 1;
    if (Number(row.seq) !== seq) return this.#outOfOrder(seq, Number(row.seq));
    this.#walk.offer(row.event);
    if (!this.#walk.leafIs(row.leaf_hash)) {
      return this.found(seq, 'event_altered', `The content of event ${seq} is not what was hashed.`, row.id);
    }
    if (!this.#walk.linkIs(row.chain_hash)) {
      return this.found(
        seq,
        'hash_altered',
        `Event ${seq} does not follow from the one before it: one of the two is not what was logged.`,
        row.id,
      );
    }
    if (!this.#sameColumns(row)) {
      return this.found(
        seq,
        'columns_altered',
        `The search columns of event ${seq} do not say what the event says.`,
        row.id,
      );
    }
    this.#take();
    if (seq === this.beginning.vouchedBy) this.#voucher = row.event;
  }

  /** An event of a cold object: its link is all that stands beside it. */
  checkCold({ seq: stored, event, chain }: StoredEvent): void {
    const seq = this.seq + 1;
    if (stored !== seq) return this.#outOfOrder(seq, stored);
    this.#walk.offer(event);
    // A neighbour's events follow from one another as well.
    if (!searchColumns(event, this.tenant) || !this.#walk.linkIs(chain))
      return this.found(seq, 'event_altered', `Event ${seq}, in cold storage, is not what was logged.`);
    this.#take();
    if (seq === this.beginning.vouchedBy) this.#voucher = event;
  }

  /** What was noted when the last events were stored cold. */
  checkColdEnd({ last, chain, frontier }: ColdRange): void {
    if (this.seq !== last || !chain.equals(this.#walk.chain) || !frontier.equals(this.#walk.frontier()))
      this.found(
        last,
        'hash_altered',
        `The events in cold storage up to ${last} are not those that were stored.`,
      );
  }

  /** Whoever deletes the beginning of a log can write anywhere that its time was over, but not into the log. */
  checkBeginning(): void {
    const { seq: last } = this.beginning;
    if (last > 0 && !(this.#voucher && vouchesFor(this.#voucher, this.beginning)))
      this.found(
        1,
        'event_missing',
        `Events 1 to ${last} are gone, and no event of the log says that their time was over.`,
      );
  }

  checkHead(head: { chain_hash: Buffer; frontier: Buffer }): void {
    if (!head.chain_hash.equals(this.#walk.chain) || !head.frontier.equals(this.#walk.frontier())) {
      this.found(
        this.seq,
        'head_altered',
        `The head of the log does not follow from its ${this.seq} events.`,
      );
    }
  }

  /** What searches answer of a cold range that was restored for them. */
  restoredOtherwise(seq: number): void {
    this.found(
      seq,
      'event_altered',
      `Event ${seq}, as it was restored for searching, is not what was logged. The log itself is whole: restore the range anew.`,
    );
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

  #sameColumns(row: CheckedRow): boolean {
    const search = searchColumns(row.event, this.tenant);
    return (
      search !== undefined &&
      search.id === row.id &&
      search.at === row.at &&
      search.action === row.action &&
      search.actor === row.actor &&
      search.outcome === row.outcome
    );
  }

  #take(): void {
    this.#walk.take();
    this.checked += 1;
  }

  result(): Verification {
    return {
      valid: this.finding === undefined,
      checked: this.checked,
      first: this.seq - this.checked + 1,
      head: {
        seq: this.seq,
        chainHash: this.#walk.chain.toString('hex'),
        rootHash: this.#walk.root().toString('hex'),
      },
      ...(this.finding && { finding: this.finding }),
    };
  }
}
