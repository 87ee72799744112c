import type pg from 'pg';
import { StandingConnection } from './standing-connection.js';
import { TenantClient, type TenantClientConfig } from './tenant-client.js';
import type { TenantId } from './tenant-id.js';
import type { TenantStatement } from './tenant-scope.js';
import { placeOf } from './tenant-place.js';

/** Beyond this a connection's callers are refused rather than queued: the server is not keeping up. */
const MAX_OUTSTANDING = 2_000;
/** From here on a tenant's second connection takes over: below it, one write carries more reads. */
const BUSY = 32;
/** Reads by key take milliseconds; a connection that is silent for longer is given up, with all that wait on it. */
const SILENCE_MS = 5_000;

export class ReadLaneFull extends Error {
  override readonly name = 'ReadLaneFull';
  /** Of PostgreSQL's class "insufficient resources", as which callers are answered. */
  readonly code = '53000';
}

/**
 * Connections for reads on the hot path. A connection carries many reads of many tenants at once, each in a flush and
 * an implicit transaction of its own, and what arrives in one turn of the event loop is sent in one write: a read then
 * costs the process a fraction of what checking a connection out of a pool does (measured in bench/request). A tenant's
 * reads go to two of the connections, so that its plans are held twice and not everywhere.
 */
export class ReadLane {
  readonly #connections: LaneConnection[];

  constructor(config: TenantClientConfig, connections: number, onError: (error: Error) => void) {
    const lane = { ...config, pipeline: true, query_timeout: SILENCE_MS };
    this.#connections = Array.from(
      { length: connections },
      () => new LaneConnection(() => new TenantClient(lane), onError),
    );
  }

  async query<Row extends pg.QueryResultRow>(
    tenant: TenantId,
    statement: TenantStatement,
  ): Promise<pg.QueryResult<Row>> {
    const connection = this.#connectionFor(tenant);
    const open = connection.get();
    // Not a moment between having an open client and using it, in which it could be replaced.
    const client = open instanceof TenantClient ? open : await open;
    if (client.worn) connection.replace();
    connection.outstanding += 1;
    try {
      const answer: Promise<pg.QueryResult<Row>> = client.query(statement);
      return await answer;
    } finally {
      connection.outstanding -= 1;
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#connections.map((connection) => connection.close()));
  }

  #connectionFor(tenant: TenantId): LaneConnection {
    const first = placeOf(tenant, this.#connections.length);
    const one = this.#connections[first];
    const other = this.#connections[(first + 1) % this.#connections.length];
    const busy = one !== undefined && one.outstanding >= BUSY;
    const chosen = busy && other && other.outstanding < one.outstanding ? other : one;
    if (!chosen || chosen.outstanding >= MAX_OUTSTANDING) {
      throw new ReadLaneFull('Too many reads are waiting for the database.');
    }
    return chosen;
  }
}

/** One of the lane's connections, and how many reads it carries. */
class LaneConnection extends StandingConnection<TenantClient> {
  outstanding = 0;
}
