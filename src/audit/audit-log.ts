import { hash } from 'node:crypto';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type pg from 'pg';
import { Cells, type Cell } from '../platform/database/index.js';
import { ServiceUnavailable } from '../platform/http/errors.js';
import { canonicalEvent, newEventId, searchColumns, type CanonicalEvent } from './audit-event.js';
import { chainHash, EMPTY_CHAIN, Frontier, leafHash } from './merkle.js';

interface Waiting {
  readonly tenant: string;
  readonly event: CanonicalEvent;
  readonly durable: () => void;
  readonly failed: (error: Error) => void;
}

interface Head {
  tenant: string;
  seq: string;
  chain_hash: Buffer;
  frontier: Buffer;
}

const SEQUENCER = { type: 'system', id: 'sequencer' } as const;

const MAX_GROUP = 512;
/** Events that may wait in a process. Beyond it requests are refused: better no answer than an answer without its event. */
const MAX_WAITING = 20_000;

/**
 * Appends to the tenants' logs. Events that arrive while a group is being written form the next group, so that one
 * commit makes many durable; each log has one head row whose lock orders all writers of all processes.
 */
@Injectable()
export class AuditLog implements OnApplicationShutdown {
  readonly #groups: ReadonlyMap<string, GroupWriter>;

  constructor(private readonly cells: Cells) {
    this.#groups = new Map(cells.all().map((cell) => [cell.region, new GroupWriter(cell)]));
  }

  /** Resolves when the event is durable. */
  append(tenant: { readonly id: string; readonly region: string }, event: CanonicalEvent): Promise<void> {
    return this.#writer(tenant.region).append(tenant.id, event);
  }

  /** Moves what transactions have left in the outbox into the logs; resolves when nothing older is left. */
  async drainOutbox(region: string): Promise<void> {
    await this.#writer(region).drain();
  }

  /** Says that a transaction of this process has just committed an event; the log follows without anybody waiting. */
  outboxFilled(region: string): void {
    this.#writer(region).drainSoon();
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all([...this.#groups.values()].map((group) => group.close()));
  }

  #writer(region: string): GroupWriter {
    const writer = this.#groups.get(region);
    if (!writer) throw new Error(`No audit log is configured for region ${region}.`);
    return writer;
  }
}

class GroupWriter {
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  #drain: Promise<void> | undefined;
  #drainAgain = false;

  constructor(private readonly cell: Cell) {}

  append(tenant: string, event: CanonicalEvent): Promise<void> {
    if (this.#waiting.length >= MAX_WAITING) {
      return Promise.reject(
        new ServiceUnavailable('The audit log cannot keep up. Repeat the request in a moment.'),
      );
    }
    return new Promise((durable, failed) => {
      this.#waiting.push({ tenant, event, durable, failed });
      this.#running ??= this.#run();
    });
  }

  drainSoon(): void {
    this.drain().catch(() => {
      // The outbox keeps what could not be moved; the next drain, of whichever process, finds it.
    });
  }

  drain(): Promise<void> {
    if (this.#drain) {
      // What is being drained may not hold what has been committed since: once more after it.
      this.#drainAgain = true;
      return this.#drain;
    }
    this.#drain = this.#drainAll().finally(() => {
      this.#drain = undefined;
    });
    return this.#drain;
  }

  async close(): Promise<void> {
    await this.#running;
    await this.#drain?.catch(() => undefined);
  }

  async #run(): Promise<void> {
    // Lets everything that the current turn of the event loop still brings into the first group.
    await new Promise(setImmediate);
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0, MAX_GROUP);
      try {
        const events = group.map(({ tenant, event }) => ({ tenant, bytes: event.bytes }));
        await inTransaction(this.cell.audit, (client) => appendGroup(client, events));
        for (const entry of group) entry.durable();
      } catch (cause) {
        const error = new ServiceUnavailable(
          'The audit log cannot be written. Repeat the request in a moment.',
          { cause },
        );
        for (const entry of group) entry.failed(error);
      }
    }
    this.#running = undefined;
  }

  async #drainAll(): Promise<void> {
    do {
      this.#drainAgain = false;
      while ((await this.#drainOnce()) === MAX_GROUP);
    } while (this.#drainAgain);
  }

  /** A tenant's role can put any bytes into the outbox. What is no event must neither stop the log nor vanish. */
  #accepted(tenant: string, bytes: Buffer): Buffer {
    if (searchColumns(bytes, tenant)) return bytes;
    const where = { id: tenant, region: this.cell.region };
    const changes = { rejectedBytes: bytes.length, sha256: hash('sha256', bytes, 'hex') };
    const event = { action: 'audit.event_rejected', actor: SEQUENCER, outcome: 'failure', changes } as const;
    return canonicalEvent(newEventId(), where, event, undefined).bytes;
  }

  #drainOnce(): Promise<number> {
    return inTransaction(this.cell.audit, async (client) => {
      // The lock orders drains of all processes: two that each took some rows could append them out of order.
      await client.query('SELECT pg_advisory_xact_lock(7283002)');
      const taken = await client.query<{ tenant: string; event: Buffer }>(
        `WITH taken AS (DELETE FROM audit.outbox
           WHERE id IN (SELECT id FROM audit.outbox ORDER BY id LIMIT ${MAX_GROUP}) RETURNING id, tenant, event)
         SELECT tenant, event FROM taken ORDER BY id`,
      );
      if (taken.rows.length > 0) {
        const events = taken.rows.map(({ tenant, event }) => ({
          tenant,
          bytes: this.#accepted(tenant, event),
        }));
        await appendGroup(client, events);
      }
      return taken.rows.length;
    });
  }
}

/** Appends events to their tenants' logs, in the order given, under the lock of each log's head. */
async function appendGroup(
  client: pg.PoolClient,
  events: readonly { tenant: string; bytes: Buffer }[],
): Promise<void> {
  const heads = await lockHeads(client, [...new Set(events.map((event) => event.tenant))].sort());
  const rows: unknown[][] = [];
  for (const { tenant, bytes } of events) {
    const head = heads.get(tenant);
    if (!head) throw new Error(`The audit log of ${tenant} has no head.`);
    const leaf = leafHash(bytes);
    head.seq += 1;
    head.chain = chainHash(head.chain, head.seq, leaf);
    head.frontier.append(leaf);
    const search = searchColumns(bytes, tenant);
    if (!search) throw new Error('Not a canonical event of this tenant.');
    rows.push([
      tenant,
      head.seq,
      search.id,
      search.at,
      search.action,
      search.actor,
      search.outcome,
      bytes,
      leaf,
      head.chain,
    ]);
  }
  await client.query({
    name: 'audit_append',
    text: `INSERT INTO audit.events (tenant, seq, id, at, action, actor, outcome, event, leaf_hash, chain_hash)
      SELECT * FROM unnest($1::text[], $2::bigint[], $3::uuid[], $4::timestamptz[], $5::text[], $6::text[], $7::text[],
        $8::bytea[], $9::bytea[], $10::bytea[])`,
    values: Array.from({ length: 10 }, (_, column) => rows.map((row) => row[column])),
  });
  const changed = [...heads];
  await client.query({
    name: 'audit_advance',
    text: `UPDATE audit.heads h SET seq = n.seq, chain_hash = n.chain_hash, frontier = n.frontier
      FROM unnest($1::text[], $2::bigint[], $3::bytea[], $4::bytea[]) n(tenant, seq, chain_hash, frontier)
      WHERE h.tenant = n.tenant`,
    values: [
      changed.map(([tenant]) => tenant),
      changed.map(([, head]) => head.seq),
      changed.map(([, head]) => head.chain),
      changed.map(([, head]) => head.frontier.bytes()),
    ],
  });
}

interface OpenHead {
  seq: number;
  chain: Buffer;
  frontier: Frontier;
}

async function lockHeads(client: pg.PoolClient, tenants: string[]): Promise<Map<string, OpenHead>> {
  const lock = {
    name: 'audit_heads',
    text: 'SELECT tenant, seq, chain_hash, frontier FROM audit.heads WHERE tenant = ANY($1) ORDER BY tenant FOR UPDATE',
    values: [tenants],
  };
  let found = await client.query<Head>(lock);
  if (found.rows.length < tenants.length) {
    await client.query({
      text: `INSERT INTO audit.heads (tenant, seq, chain_hash, frontier)
        SELECT t, 0, $2, '' FROM unnest($1::text[]) t ORDER BY t ON CONFLICT DO NOTHING`,
      values: [tenants, EMPTY_CHAIN],
    });
    found = await client.query<Head>(lock);
  }
  return new Map(
    found.rows.map((head) => [
      head.tenant,
      {
        seq: Number(head.seq),
        chain: head.chain_hash,
        frontier: Frontier.of(head.frontier, Number(head.seq)),
      },
    ]),
  );
}

async function inTransaction<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query('BEGIN');
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch((failure: Error) => (broken = failure));
    throw error;
  } finally {
    client.release(broken);
  }
}
