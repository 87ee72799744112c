import { LogWalk, type Beginning } from '@waxell/transparency';
import { parseEvent } from '../audit/index.js';

/** An event with what stands beside it. */
export interface StoredRow {
  readonly seq: string;
  readonly id: string;
  readonly at: string;
  readonly action: string;
  readonly actor: string;
  readonly outcome: string;
  readonly event: Buffer;
  readonly leaf_hash: Buffer;
  readonly chain_hash: Buffer;
}

/** What is not as it was written, and from where. */
export interface Altered {
  readonly seq: number;
  readonly kind: 'event_altered' | 'columns_altered' | 'chain_broken' | 'log_truncated' | 'head_altered';
}

/** Goes through a part of a log: each event as it was hashed, each link from the one before, and columns that say the same. */
export class RecheckWalk {
  readonly #walk: LogWalk;

  constructor({ seq, chain, frontier }: Beginning) {
    this.#walk = new LogWalk(seq, chain, frontier);
  }

  get place(): Beginning {
    return { seq: this.#walk.seq, chain: this.#walk.chain, frontier: this.#walk.frontier() };
  }

  check(row: StoredRow): Altered | undefined {
    const walk = this.#walk;
    const seq = walk.seq + 1;
    if (Number(row.seq) !== seq) return { seq, kind: 'chain_broken' };
    walk.offer(row.event);
    if (!walk.leafIs(row.leaf_hash)) return { seq, kind: 'event_altered' };
    if (!walk.linkIs(row.chain_hash)) return { seq, kind: 'chain_broken' };
    if (!sameColumns(row)) return { seq, kind: 'columns_altered' };
    walk.take();
    return undefined;
  }

  /** At the end of the log. */
  checkHead(head: { readonly chain: Buffer; readonly frontier: Buffer }): Altered | undefined {
    const { seq, chain, frontier } = this.place;
    return head.chain.equals(chain) && head.frontier.equals(frontier)
      ? undefined
      : { seq, kind: 'head_altered' };
  }
}

function sameColumns({ event, id, at, action, actor, outcome }: StoredRow): boolean {
  try {
    const body = parseEvent(event);
    const said = [body.id, body.at, body.action, body.actor.id, body.outcome];
    return [id, at, action, actor, outcome].every((column, place) => column === said[place]);
  } catch {
    return false;
  }
}
