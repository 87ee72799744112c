import { Injectable } from '@nestjs/common';
import { Cells, type TenantRef } from '../platform/database/index.js';
import { BLOCK, blockOf, firstOf, lastOf } from './posting-block.js';
import { Postings, type SoughtTerm, type TimeRange } from './postings.js';
import { scanEvents, type EventSource, type FoundRow } from './scan-events.js';
import { termsOf, type EventFilter } from './search-terms.js';

/** A search of a stretch of a log: from one event to another, both included. */
export interface Search {
  readonly first: number;
  readonly last: number;
  readonly filter: EventFilter & TimeRange;
  readonly limit: number;
}

export interface Found {
  /** The newest first. */
  readonly rows: FoundRow[];
  /** Where it stopped without having found as many, since it had looked at enough: the last event not looked at. */
  readonly unseen?: number;
}

/** Blocks that are looked up, and events that are looked at one by one. */
export interface Most {
  readonly blocks: number;
  readonly events: number;
}

/** Blocks that are looked up in the index at once: few first, as what is asked for is often near. */
const STEPS = [4, 64, 1_024] as const;
/** What one search looks at, before it says where to go on: 67 million events by the index, 262,144 without. */
const MOST: Most = { blocks: 16_384, events: 64 * BLOCK };
/** Events that are fetched at once, of those that the index names. */
const FETCHED = 200;

/** What is found of a search as it goes on, and what it has cost. */
interface Progress {
  readonly search: Search;
  readonly most: Most;
  readonly terms: readonly SoughtTerm[];
  readonly rows: FoundRow[];
  blocks: number;
  events: number;
}

/**
 * Finds events of a log in the database, the newest first: by the index where there is one, and one by one in the blocks
 * that have none yet, which are the newest. Whether a block is indexed decides how long it takes and not what is found.
 */
@Injectable()
export class FindEvents {
  constructor(
    private readonly cells: Cells,
    private readonly postings: Postings,
  ) {}

  async execute(tenant: TenantRef, search: Search, most = MOST): Promise<Found> {
    const progress: Progress = {
      search,
      most,
      terms: termsOf(search.filter).map((term) => ({ ...term, tried: 0, left: 0 })),
      rows: [],
      blocks: 0,
      events: 0,
    };
    const source = { pool: this.cells.of(tenant.cell).audit, table: 'events', owner: tenant.id } as const;
    let last = search.last;
    for (let turn = 0; last >= search.first && progress.rows.length < search.limit; turn += 1) {
      if (progress.blocks >= most.blocks || progress.events >= most.events)
        return { rows: progress.rows, unseen: last };
      const step = Math.min(STEPS[Math.min(turn, STEPS.length - 1)] ?? 1, most.blocks - progress.blocks);
      const from = Math.max(blockOf(search.first), blockOf(last) - step + 1);
      last = await this.#blocks(tenant, source, from, last, progress);
    }
    return { rows: progress.rows };
  }

  /** Looks at the events from the beginning of a block on; answers the last that it has not looked at. */
  async #blocks(
    tenant: TenantRef,
    source: EventSource,
    from: number,
    last: number,
    progress: Progress,
  ): Promise<number> {
    const { search, terms } = progress;
    const to = blockOf(last);
    progress.blocks += to - from + 1;
    const indexed = await this.postings.indexed(tenant, from, to, search.filter);
    for (const { first: low, last: high, kind } of runsOf(indexed, from, to)) {
      const numbers = {
        first: Math.max(firstOf(low), search.first),
        last: Math.min(lastOf(high), last),
      };
      if (kind === 'unindexed' || (kind === 'indexed' && terms.length === 0)) {
        const end = await this.#scan(source, numbers, progress);
        if (end !== undefined) return end;
      } else if (kind === 'indexed') {
        const blocks = Array.from({ length: high - low + 1 }, (_, at) => low + at);
        await this.#fetch(source, numbers, await this.postings.candidates(tenant, blocks, terms), progress);
      }
      if (progress.rows.length >= search.limit) return numbers.first - 1;
    }
    return Math.max(firstOf(from), search.first) - 1;
  }

  /** Events one by one, a block at a time; answers where it ended if it was before all were looked at. */
  async #scan(
    source: EventSource,
    { first, last }: { readonly first: number; readonly last: number },
    progress: Progress,
  ): Promise<number | undefined> {
    const { filter, limit } = progress.search;
    for (let high = last; high >= first; high -= BLOCK) {
      if (progress.rows.length >= limit || progress.events >= progress.most.events) return high;
      const low = Math.max(first, high - BLOCK + 1);
      progress.events += high - low + 1;
      const wanted = limit - progress.rows.length;
      progress.rows.push(...(await scanEvents(source, { first: low, last: high }, filter, wanted)));
    }
    return undefined;
  }

  async #fetch(
    source: EventSource,
    { first, last }: { readonly first: number; readonly last: number },
    candidates: Iterable<number>,
    { search: { filter, limit }, rows }: Progress,
  ): Promise<void> {
    let numbers: number[] = [];
    const flush = async (): Promise<void> => {
      rows.push(...(await scanEvents(source, numbers, filter, limit - rows.length)));
      numbers = [];
    };
    for (const number of candidates) {
      if (number > last) continue;
      if (number < first || rows.length >= limit) break;
      numbers.push(number);
      // No more than are wanted, as nearly all of them are as asked for; then more, where they were not.
      if (numbers.length >= Math.min(FETCHED, limit - rows.length)) await flush();
    }
    if (numbers.length > 0 && rows.length < limit) await flush();
  }
}

interface Run {
  readonly first: number;
  readonly last: number;
  readonly kind: 'unindexed' | 'indexed' | 'other_time';
}

/** Blocks of one kind that follow each other, the newest first. */
function runsOf(indexed: ReadonlyMap<number, boolean>, from: number, to: number): Run[] {
  const runs: Run[] = [];
  for (let block = to; block >= from; block -= 1) {
    const ofTime = indexed.get(block);
    const kind = ofTime === undefined ? 'unindexed' : ofTime ? 'indexed' : 'other_time';
    const run = runs.at(-1);
    if (run?.kind === kind) runs[runs.length - 1] = { ...run, first: block };
    else runs.push({ first: block, last: block, kind });
  }
  return runs;
}
