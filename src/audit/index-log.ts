import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { Cells, type TenantRef } from '../platform/database/index.js';
import { parseEvent, type EventBody } from './audit-event.js';
import { ColdLog } from './cold-log.js';
import { LogReader } from './log-reader.js';
import { BLOCK, blockOf, firstOf, PostingBlock } from './posting-block.js';
import { Postings } from './postings.js';

/** An event as whoever follows the log has read it. */
export interface FollowedEvent {
  readonly seq: number;
  readonly body: EventBody;
}

/** Logs of which a block is being collected: about 200 KB each at most. */
const COLLECTED = 64;
const LOGS_IN_MEMORY = 10_000;
/** Blocks of one log that are read again at one time; then others have their turn. */
const READ_AGAIN = 16;
const PAGE_BYTES = 1_048_576;

/**
 * Writes the index behind the log. Whoever follows a log shows it what they have read, so that nothing is read for the
 * index alone; a block of which it was not shown everything (another process was, or one that is gone) is read again.
 */
@Injectable()
export class IndexLog {
  readonly #collected = new LRUCache<string, PostingBlock>({ max: COLLECTED });
  /** Of a log the block before which all are indexed, as far as this process knows. */
  readonly #indexedBefore = new LRUCache<string, number>({ max: LOGS_IN_MEMORY });

  constructor(
    private readonly cells: Cells,
    private readonly reader: LogReader,
    private readonly cold: ColdLog,
    private readonly postings: Postings,
  ) {}

  /** Takes what was read of a log, in its order. */
  async follow(tenant: TenantRef, events: readonly FollowedEvent[]): Promise<void> {
    for (const { seq, body } of events) {
      const block = this.#blockFor(tenant, seq);
      if (!block) continue;
      block.add(body);
      if (block.full) await this.#write(tenant, block);
    }
  }

  /** Indexes the whole blocks up to an event that are not indexed yet. Answers whether there may be more. */
  async complete(tenant: TenantRef, through: number): Promise<boolean> {
    const end = blockOf(through + 1);
    if (end === 0 || (this.#indexedBefore.get(tenant.id) ?? 0) >= end) return false;
    const missing = await this.#missing(tenant, end);
    for (const number of missing) await this.#readAgain(tenant, number);
    if (missing.length === READ_AGAIN) return true;
    this.#indexedBefore.set(tenant.id, end);
    return false;
  }

  #blockFor(tenant: TenantRef, seq: number): PostingBlock | undefined {
    if (seq === firstOf(blockOf(seq))) {
      const begun = new PostingBlock(blockOf(seq));
      this.#collected.set(tenant.id, begun);
      return begun;
    }
    const block = this.#collected.get(tenant.id);
    if (block?.next === seq) return block;
    this.#collected.delete(tenant.id);
    return undefined;
  }

  async #write(tenant: TenantRef, block: PostingBlock): Promise<void> {
    this.#collected.delete(tenant.id);
    await this.postings.write(tenant, block);
    if (this.#indexedBefore.get(tenant.id) === block.block)
      this.#indexedBefore.set(tenant.id, block.block + 1);
  }

  /** Whole blocks before one that are in the database and not indexed, the newest first: that is where most is looked for. */
  async #missing(tenant: TenantRef, end: number): Promise<number[]> {
    const hot = blockOf((await this.cold.through(tenant)) + BLOCK);
    const begin = Math.max(hot, this.#indexedBefore.get(tenant.id) ?? 0);
    const { rows } = await this.cells.of(tenant.cell).audit.query<{ block: number }>(
      `SELECT whole.block FROM generate_series($2::int, $3::int) AS whole(block)
       WHERE NOT EXISTS (SELECT FROM audit.indexed i WHERE i.tenant = $1 AND i.block = whole.block)
       ORDER BY whole.block DESC LIMIT ${READ_AGAIN}`,
      [tenant.id, begin, end - 1],
    );
    return rows.map(({ block }) => block);
  }

  async #readAgain(tenant: TenantRef, number: number): Promise<void> {
    const block = new PostingBlock(number);
    while (!block.full) {
      const events = await this.reader.hot(tenant, block.next - 1, PAGE_BYTES);
      for (const { seq, event } of events) {
        if (block.full) break;
        // Without an event that should be there it is not indexed, and what is there is found one by one.
        if (seq !== block.next) return;
        block.add(readable(event));
      }
      if (events.length === 0) return;
    }
    await this.#write(tenant, block);
  }
}

/** What was changed where it is stored may be no event any more. */
function readable(event: Buffer): EventBody | undefined {
  try {
    return parseEvent(event);
  } catch {
    return undefined;
  }
}
