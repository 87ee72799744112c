import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import pg from 'pg';
import { Log } from '../observability/log.js';
import type { Cell } from './cells.js';
import { Cells } from './cells.js';
import type { Statement } from './tenant-database.js';

const CHANNEL = 'waxell';
const RECONNECT_MS = 500;
/** A silent connection is no proof of a live one: it is asked this often. */
const PROBE_MS = 150;
/**
 * An answer is proof of what was heard until its question was sent. With no newer proof than this, nothing kept in memory
 * is believed: what is revoked anywhere is refused here within a second, also where a connection dies without a word.
 */
const TRUSTED_MS = 750;
/** A connection that does not answer for so long is given up. */
const ANSWER_WITHIN_MS = 1_000;

/** Something changed that processes keep in memory, or that somebody waits for. */
export interface Change {
  readonly kind:
    | 'tenant'
    | 'schemas'
    | 'keys'
    | 'user'
    | 'api_key'
    | 'session'
    /** What a session has proved; it goes on, and so does what is being served with it. */
    | 'session_proof'
    | 'oauth_client'
    | 'oauth_token'
    | 'access'
    /** Somebody may more than before: read anew, and nothing that is being served ends. */
    | 'access_gained'
    | 'impersonation'
    | 'labels'
    | 'directory'
    | 'transmitter'
    | 'signing_keys'
    | 'run_progress'
    | 'run_cancel';
  readonly tenant: string;
  readonly id: string;
}

type Listener = (change: Change) => void;

/**
 * The statement that announces a change of the tenant in scope; in a transaction it is heard at its commit, and not at
 * all without one. Whose change it is says the database, by the role.
 */
export function announce({ kind, id }: Change): Statement {
  return { name: 'announce', text: 'SELECT work.announce($1, $2)', values: [kind, id] };
}

/** The same of several persons, in one statement. */
export function announceUsers(ids: readonly string[]): Statement {
  return { text: `SELECT work.announce('user', id) FROM unnest($1::text[]) AS id`, values: [ids] };
}

/** The same for the registry, whose login may speak of every tenant. */
export function announceInRegistry(change: Change): Statement {
  return { text: `SELECT pg_notify('${CHANNEL}', $1)`, values: [JSON.stringify(change)] };
}

/** The same as plain text, for what is sent in one message with other statements. */
export function announcement(change: Change): string {
  return `SELECT pg_notify('${CHANNEL}', ${pg.escapeLiteral(JSON.stringify(change))})`;
}

/**
 * Tells every process what changed, over LISTEN/NOTIFY on a connection of its own to each database. While a database's
 * connection is down its changes are missed, so `reliable()` is false and caches must not be trusted.
 */
@Injectable()
export class Feed implements OnApplicationShutdown {
  readonly #listeners = new Set<Listener>();
  readonly #connections: readonly FeedConnection[];

  constructor(
    cells: Cells,
    private readonly log: Log,
  ) {
    this.#connections = cells
      .all()
      .map((cell) => new FeedConnection(cell, this.log, (change) => this.#publish(change)));
  }

  async open(): Promise<void> {
    await Promise.all(this.#connections.map((connection) => connection.open()));
  }

  /** Whether every change of the last moment was heard. */
  reliable(): boolean {
    return this.#connections.every((connection) => connection.reliable);
  }

  /** Returns the function that ends the subscription. */
  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all(this.#connections.map((connection) => connection.close()));
  }

  #publish(change: Change): void {
    for (const listener of this.#listeners) listener(change);
  }
}

class FeedConnection {
  #client: pg.Client | undefined;
  /** When the question was sent that was answered last. */
  #provedAt = 0;
  #asking = false;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly cell: Cell,
    private readonly log: Log,
    private readonly publish: Listener,
  ) {}

  get reliable(): boolean {
    return this.#client !== undefined && performance.now() - this.#provedAt < TRUSTED_MS;
  }

  async open(): Promise<void> {
    const client = new pg.Client({
      ...this.cell.connection('control'),
      application_name: 'waxell-feed',
      query_timeout: ANSWER_WITHIN_MS,
    });
    client.on('notification', ({ payload }) => this.#heard(payload));
    client.on('error', (error) => this.#lost(client, error));
    client.on('end', () => this.#lost(client, new Error('The connection ended.')));
    await client.connect();
    const sentAt = performance.now();
    await client.query(`LISTEN ${CHANNEL}`);
    this.#client = client;
    this.#provedAt = sentAt;
    this.#asking = false;
    this.#timer = setInterval(() => this.#ask(client), PROBE_MS).unref();
  }

  /** Notifications come in order with answers: with this one, everything has come that was sent before the question. */
  #ask(client: pg.Client): void {
    if (this.#asking) return;
    this.#asking = true;
    const sentAt = performance.now();
    client.query('SELECT 1').then(
      () => {
        if (client !== this.#client) return;
        this.#provedAt = sentAt;
        this.#asking = false;
      },
      (error: Error) => this.#lost(client, error),
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#client?.end();
  }

  #heard(payload: string | undefined): void {
    try {
      this.publish(JSON.parse(payload ?? '') as Change);
    } catch {
      // Any role may notify; what is no change of ours says nothing.
    }
  }

  #lost(client: pg.Client, error: Error): void {
    if (this.#closed || client !== this.#client) return;
    this.#client = undefined;
    clearInterval(this.#timer);
    this.log.warn(
      `Lost the change feed of ${this.cell.name}; caches are off until it is back: ${error.message}`,
    );
    client.end().catch(() => undefined);
    this.#reopenSoon();
  }

  #reopenSoon(): void {
    setTimeout(() => {
      if (this.#closed) return;
      this.open().then(
        // Whatever was cached while nobody listened is old.
        () => this.publish({ kind: 'tenant', tenant: '*', id: '*' }),
        () => this.#reopenSoon(),
      );
    }, RECONNECT_MS).unref();
  }
}
