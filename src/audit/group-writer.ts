import { LRUCache } from 'lru-cache';
import type pg from 'pg';
import type { Cell } from '../platform/database/index.js';
import { ServiceUnavailable } from '../platform/http/errors.js';
import {
  appended,
  appendGroup,
  currentPeriod,
  HeadMoved,
  lockHeads,
  LogClosed,
  type Appended,
  type Head,
} from './append-group.js';
import { answered, inTransaction } from './answered.js';
import type { CanonicalEvent } from './audit-event.js';
import { outboxEvent } from './outbox-event.js';

/** Beyond what may wait requests are refused: better no answer than an answer without its event. */
export interface WriterLimits {
  readonly events: number;
  readonly bytes: number;
  /** A connection on which nothing is answered for this long is given up: what was asked on it fails. */
  readonly silenceMs: number;
}

interface Waiting {
  readonly event: Appended;
  readonly durable: () => void;
  readonly failed: (error: Error) => void;
}

const MAX_GROUP = 512;
/** Of the events of a group, but for the first. */
const MAX_GROUP_BYTES = 8 * 1_048_576;
/** What may wait in a process, and for how long a database may say nothing: longer than a statement may take there. */
const LIMITS: WriterLimits = { events: 20_000, bytes: 64 * 1_048_576, silenceMs: 30_000 };
const HEADS_IN_MEMORY = 10_000;
/** How long what transactions have left may lie, at most: it is durable there, and whoever reads a log has it moved first. */
const DRAIN_SOON_MS = 50;
/** In one message. Orders the drains of all processes: two that each took some rows could append them out of order. */
const BEGIN_DRAIN = 'BEGIN; SELECT pg_advisory_xact_lock(7283002)';
const NONE: ReadonlySet<string> = new Set();

/**
 * Writes one cell's logs, for one process. Events that arrive while a group is being written form the next group, so
 * that one commit makes many durable.
 *
 * The heads that the process wrote last are remembered: while it is the only writer of a log, a group is one flush and
 * one implicit transaction. Where another process has appended since, nothing is written, and the group is written again under locks.
 */
export class GroupWriter {
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #drains: { resolve: () => void; reject: (error: Error) => void }[] = [];
  #running: Promise<void> | undefined;
  #soon: NodeJS.Timeout | undefined;
  /** Whose events that is for. */
  readonly #left = new Set<string>();
  readonly #heads = new LRUCache<string, Head>({ max: HEADS_IN_MEMORY });
  /** As last read; each append checks it. */
  #period: number | undefined;

  constructor(
    private readonly cell: Cell,
    private readonly limits: WriterLimits = LIMITS,
  ) {}

  /** Events that wait to be written. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Resolves when the event is durable. @throws {LogClosed} where the tenant's log goes on in another cell */
  append(tenant: string, { bytes, search }: CanonicalEvent): Promise<void> {
    const { events, bytes: most } = this.limits;
    if (this.#waiting.length >= events || this.#waitingBytes + bytes.length > most) {
      return Promise.reject(
        new ServiceUnavailable('The audit log cannot keep up. Repeat the request in a moment.'),
      );
    }
    // What a transaction has left came before.
    if (this.#left.has(tenant)) this.#drainNow();
    return new Promise((durable, failed) => {
      this.#waiting.push({ event: { tenant, bytes, search }, durable, failed });
      this.#waitingBytes += bytes.length;
      this.#wake();
    });
  }

  /** Appends an event that may have been appended before: its id says whether it was. False where the log is not open here. */
  async appendOnce(tenant: string, bytes: Buffer): Promise<boolean> {
    const event = appended(tenant, bytes);
    let open = false;
    await this.#locked(async (client) => {
      const heads = await lockHeads(client, [tenant]);
      open = heads.has(tenant);
      if (!open) return new Map();
      const text = 'INSERT INTO audit.delivered (tenant, id) VALUES ($1, $2) ON CONFLICT DO NOTHING';
      const { rowCount } = await client.query({ text, values: [tenant, event.search.id] });
      if (rowCount === 0) return new Map();
      return appendGroup(client, [event], heads, await this.#periodBy(client));
    });
    return open;
  }

  /** Resolves when everything that was in the outbox at the call is in the logs. */
  drain(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#drains.push({ resolve, reject });
      this.#wake();
    });
  }

  /** The same in a moment, for what nobody waits for: what many transactions have left then costs one drain. */
  drainSoon(tenant?: string): void {
    if (tenant !== undefined) this.#left.add(tenant);
    this.#soon ??= setTimeout(() => this.#drainNow(), DRAIN_SOON_MS);
  }

  async close(): Promise<void> {
    if (this.#soon) this.#drainNow();
    await this.#running;
  }

  #drainNow(): void {
    clearTimeout(this.#soon);
    this.#soon = undefined;
    this.#left.clear();
    // The outbox keeps what could not be moved; the next drain, of whichever process, finds it.
    this.drain().catch(() => undefined);
  }

  #wake(): void {
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    // Lets everything that the current turn of the event loop still brings into the first group.
    await new Promise(setImmediate);
    while (this.#waiting.length > 0 || this.#drains.length > 0) {
      // First: what is drained was left before what waits.
      if (this.#drains.length > 0) await this.#drainAll(this.#drains.splice(0));
      await this.#writeGroup(this.#nextGroup());
    }
    // In the same turn as the last look at what waits: whatever comes later finds no run, and wakes one.
    this.#running = undefined;
  }

  #nextGroup(): Waiting[] {
    let [count, bytes] = [0, 0];
    for (const { event } of this.#waiting) {
      const more = bytes + event.bytes.length;
      if (count === MAX_GROUP || (count > 0 && more > MAX_GROUP_BYTES)) break;
      [count, bytes] = [count + 1, more];
    }
    this.#waitingBytes -= bytes;
    return this.#waiting.splice(0, count);
  }

  async #writeGroup(group: readonly Waiting[]): Promise<void> {
    if (group.length === 0) return;
    const events = group.map((entry) => entry.event);
    try {
      const refused = await this.#append(events);
      for (const entry of group) {
        if (refused.has(entry.event.tenant)) entry.failed(new LogClosed());
        else entry.durable();
      }
    } catch (cause) {
      const error = new ServiceUnavailable(
        'The audit log cannot be written. Repeat the request in a moment.',
        { cause },
      );
      for (const entry of group) entry.failed(error);
    }
  }

  /** Answers the tenants whose logs are not open here; nothing of theirs was written. */
  async #append(events: readonly Appended[]): Promise<ReadonlySet<string>> {
    const heads = this.#rememberedHeads(events);
    if (heads && this.#period !== undefined) {
      try {
        const client = await this.cell.appends.get();
        const silent = (): void => void client.end().catch(() => undefined);
        const append = appendGroup(client, events, heads, this.#period);
        this.#remember(await answered(append, this.limits.silenceMs, silent));
        return NONE;
      } catch (error) {
        // Whatever went wrong, what is remembered may be old: a commit whose answer was lost has moved the heads.
        for (const tenant of heads.keys()) this.#heads.delete(tenant);
        this.#period = undefined;
        if (!(error instanceof HeadMoved)) throw error;
      }
    }
    const tenants = events.map((event) => event.tenant);
    const appended = await this.#locked((client) => this.#appendOpen(client, events, false));
    return new Set(tenants.filter((tenant) => !appended.has(tenant)));
  }

  async #drainAll(drains: readonly { resolve: () => void; reject: (error: Error) => void }[]): Promise<void> {
    try {
      while ((await this.#drainOnce()) === MAX_GROUP);
      for (const drain of drains) drain.resolve();
    } catch (cause) {
      const error = new ServiceUnavailable(undefined, { cause });
      for (const drain of drains) drain.reject(error);
    }
  }

  async #drainOnce(): Promise<number> {
    let drained = 0;
    await this.#locked(async (client) => {
      const { rows } = await client.query<{ tenant: string; event: Buffer; now: number }>({
        name: 'audit_drain',
        text: `WITH taken AS (DELETE FROM audit.outbox
             WHERE id IN (
               SELECT o.id FROM audit.outbox o LEFT JOIN audit.heads h ON h.tenant = o.tenant AND h.closed_at IS NOT NULL
               WHERE h.tenant IS NULL ORDER BY o.id LIMIT ${MAX_GROUP})
             RETURNING id, tenant, event)
           SELECT tenant, event, EXTRACT(epoch FROM now())::float8 * 1000 AS now FROM taken ORDER BY id`,
      });
      drained = rows.length;
      if (drained === 0) return new Map();
      const events = rows.map(({ tenant, event, now }) =>
        outboxEvent({ id: tenant, region: this.cell.region }, event, now),
      );
      // The outbox takes events only of tenants that live here: each of them has its place in a log.
      return this.#appendOpen(client, events, true);
    }, BEGIN_DRAIN);
    return drained;
  }

  /** Appends to the logs that are not closed, under their locks. */
  async #appendOpen(
    client: pg.PoolClient,
    events: readonly Appended[],
    beginAny: boolean,
  ): Promise<Map<string, Head>> {
    const heads = await lockHeads(
      client,
      events.map((event) => event.tenant),
      beginAny,
    );
    const open = events.filter((event) => heads.has(event.tenant));
    if (open.length === 0) return new Map();
    return appendGroup(client, open, heads, await this.#periodBy(client));
  }

  /**
   * A transaction that appends under locks. What is remembered of the period may be old: once it has refused an append, it
   * is read again, under the locks.
   */
  async #locked(
    append: (client: pg.PoolClient) => Promise<Map<string, Head>>,
    begin?: string,
  ): Promise<Map<string, Head>> {
    const once = (): Promise<Map<string, Head>> =>
      inTransaction(this.cell.audit, append, this.limits.silenceMs, begin);
    const advanced = await once().catch((error: unknown) => {
      if (!(error instanceof HeadMoved)) throw error;
      this.#period = undefined;
      return once();
    });
    this.#remember(advanced);
    return advanced;
  }

  async #periodBy(client: pg.PoolClient): Promise<number> {
    this.#period ??= await currentPeriod(client);
    return this.#period;
  }

  #rememberedHeads(events: readonly Appended[]): Map<string, Head> | undefined {
    const heads = new Map<string, Head>();
    for (const { tenant } of events) {
      const head = this.#heads.get(tenant);
      if (!head) return undefined;
      heads.set(tenant, head);
    }
    return heads;
  }

  #remember(advanced: ReadonlyMap<string, Head>): void {
    for (const [tenant, head] of advanced) this.#heads.set(tenant, head);
  }
}
