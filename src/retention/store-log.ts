import { hash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { chainHash, EMPTY_CHAIN, Frontier, HASH_LENGTH, leafHash, TILE_WIDTH } from '@waxell/transparency';
import { coldKey, LogReader, packed, unpacked, type StoredEvent } from '../audit/index.js';
import { Cells, type LogPeriod, type TenantRef } from '../platform/database/index.js';
import { TenantObjects } from '../platform/objects/index.js';
import type { Retention } from './retention-policy.js';

/** Of an object, before it is packed. */
const OBJECT_BYTES = 4 * 1_048_576;
const OBJECT_EVENTS = 10_000;
const PAGE_BYTES = 1_048_576;
const DAY_MS = 86_400_000;

/** Something of a log is not as it was written: it stays where it is, for whoever looks into it. */
export class LogNotAsWritten extends Error {
  override readonly name = 'LogNotAsWritten';
}

/** A log cannot go to cold storage at this moment. */
export class LogNotReady extends Error {
  override readonly name = 'LogNotReady';
}

/** Where chain and tree of a log stand after an event, as recomputed from the events. */
class Course {
  constructor(
    public seq: number,
    public chain: Buffer,
    readonly frontier: Frontier,
    public leaves: Buffer,
  ) {}

  /** @throws {LogNotAsWritten} */
  take({ seq, event, chain }: StoredEvent): void {
    const leaf = leafHash(event);
    this.chain = chainHash(this.chain, this.seq + 1, leaf);
    if (seq !== this.seq + 1 || !chain.equals(this.chain))
      throw new LogNotAsWritten(`Event ${this.seq + 1} is not as it was written.`);
    this.seq = seq;
    this.frontier.append(leaf);
    this.leaves = seq % TILE_WIDTH === 0 ? Buffer.alloc(0) : Buffer.concat([this.leaves, leaf]);
  }

  copy(): Course {
    const frontier = Frontier.of(Buffer.from(this.frontier.bytes()), this.seq);
    return new Course(this.seq, this.chain, frontier, this.leaves);
  }
}

/**
 * Puts the events that a tenant has in a period into objects. Nothing is taken away: that follows when all logs of the
 * period are stored. Repeated, it goes on after the last object that was noted.
 */
@Injectable()
export class StoreLog {
  constructor(
    private readonly cells: Cells,
    private readonly reader: LogReader,
    private readonly objects: TenantObjects,
  ) {}

  /** @throws {LogNotAsWritten} @throws {LogNotReady} */
  async execute(
    tenant: TenantRef,
    period: LogPeriod,
    { coldDays, held }: Retention,
    signal: AbortSignal,
  ): Promise<void> {
    const { first, last } = await this.#extent(tenant, period);
    await this.#requireCovered(tenant, last);
    const course = await this.#course(tenant);
    if (course.seq < first - 1)
      throw new LogNotAsWritten(`Events ${course.seq + 1} to ${first - 1} are nowhere.`);
    const retainUntil = new Date(period.endedAt.getTime() + coldDays * DAY_MS);
    while (course.seq < last) {
      signal.throwIfAborted();
      const before = course.copy();
      const events = await this.#next(tenant, course, last);
      await this.#store(tenant, period, { before, after: course, events, retainUntil, held });
    }
  }

  async #extent(tenant: TenantRef, { period }: LogPeriod): Promise<{ first: number; last: number }> {
    const { rows } = await this.cells
      .of(tenant.cell)
      .audit.query<{ first: string; last: string }>(
        'SELECT min(seq) AS first, max(seq) AS last FROM audit.events WHERE tenant = $1 AND period = $2',
        [tenant.id, period],
      );
    return { first: Number(rows[0]?.first ?? 0), last: Number(rows[0]?.last ?? 0) };
  }

  /**
   * Only what was signed for may leave: whoever changed it before is found out by who kept a checkpoint. And only once its
   * full tiles are stored: proofs read the leaves there.
   */
  async #requireCovered(tenant: TenantRef, last: number): Promise<void> {
    const { rows } = await this.cells.of(tenant.cell).audit.query<{ covered: boolean }>(
      `SELECT h.closed_at IS NULL AND EXISTS (
         SELECT FROM audit.checkpoints c WHERE c.log = h.tenant AND c.size >= $2) AND NOT EXISTS (
         SELECT FROM audit.unstored u WHERE u.log = h.tenant AND u.first < $2 / ${TILE_WIDTH}) AS covered
       FROM audit.heads h WHERE h.tenant = $1`,
      [tenant.id, last],
    );
    if (!rows[0]?.covered)
      throw new LogNotReady(
        'The log is closed, or no checkpoint covers it yet, or its tiles are not stored.',
      );
  }

  /** Where what is stored already ends. */
  async #course(tenant: TenantRef): Promise<Course> {
    const { rows } = await this.cells.of(tenant.cell).audit.query<{
      last: string;
      chain_hash: Buffer;
      frontier: Buffer;
      leaves: Buffer;
    }>('SELECT last, chain_hash, frontier, leaves FROM audit.cold WHERE tenant = $1 ORDER BY first DESC LIMIT 1', [tenant.id]);
    const [row] = rows;
    if (!row) return new Course(0, EMPTY_CHAIN, Frontier.of(Buffer.alloc(0), 0), Buffer.alloc(0));
    const last = Number(row.last);
    return new Course(last, row.chain_hash, Frontier.of(row.frontier, last), row.leaves);
  }

  /** The events of the next object; the course goes on with them. */
  async #next(tenant: TenantRef, course: Course, last: number): Promise<StoredEvent[]> {
    const events: StoredEvent[] = [];
    for (let bytes = 0; course.seq < last && bytes < OBJECT_BYTES && events.length < OBJECT_EVENTS;) {
      const page = await this.reader.hot(tenant, course.seq, PAGE_BYTES);
      if (page.length === 0) throw new LogNotAsWritten(`Event ${course.seq + 1} is missing.`);
      for (const event of page.filter(({ seq }) => seq <= last)) {
        course.take(event);
        events.push(event);
        bytes += event.event.length;
      }
    }
    return events;
  }

  async #store(
    tenant: TenantRef,
    { period, endedAt }: LogPeriod,
    {
      before,
      after,
      events,
      retainUntil,
      held,
    }: { before: Course; after: Course; events: readonly StoredEvent[]; retainUntil: Date; held: boolean },
  ): Promise<void> {
    const range = { first: before.seq + 1, last: after.seq };
    const object = await packed(events);
    const locks = this.objects.canLock(tenant);
    const ahead = retainUntil.getTime() > Date.now();
    const lock = { legalHold: held, ...(ahead && { retainUntil }) };
    await this.objects.put(tenant, coldKey(range), object, locks ? lock : {});
    const stored = await this.objects.get(tenant, coldKey(range));
    if (!stored?.equals(object)) throw new Error(`${coldKey(range)} is not what was put there.`);
    // From the store and not from memory: what is dropped is what can be read there, event by event.
    for (const event of await unpacked(stored)) before.take(event);
    if (before.seq !== after.seq) throw new Error(`${coldKey(range)} does not hold all of its events.`);
    await this.cells.of(tenant.cell).audit.query(
      `INSERT INTO audit.cold (tenant, first, last, period, bytes, sha256, chain_hash, frontier, leaves, appended_before,
         locked_until, held) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
      [
        tenant.id,
        range.first,
        range.last,
        period,
        object.length,
        hash('sha256', object, 'buffer'),
        after.chain,
        after.frontier.bytes(),
        after.leaves.subarray(0, TILE_WIDTH * HASH_LENGTH),
        endedAt,
        locks && ahead ? retainUntil : null,
        held && locks,
      ],
    );
  }
}
