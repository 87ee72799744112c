import pg from 'pg';
import type { Cell } from '../cells.js';
import type { TenantId } from '../tenant-id.js';

/** Connections of the owners of both databases, for one step of a tenant's move. */
export interface MoveSessions {
  readonly source: pg.Client;
  readonly target: pg.Client;
}

/** One step of one move at a time works on a database. */
const MOVE_LOCKS = 7_283_007;
const LOCK_WAIT_MS = 5_000;
/** Rows are compared as text: both sides have to write them in the same way. */
const SAME_TEXT =
  '-c datestyle=ISO -c timezone=UTC -c intervalstyle=postgres -c bytea_output=hex -c extra_float_digits=1';

/**
 * Runs a step with a connection to each database. Whoever had this move before, and does not know yet that it was taken
 * over, loses its connections first: from then on it can do nothing. When the signal comes, both are cut, and with them
 * whatever is waited for.
 */
export async function withMoveSessions<T>(
  cells: { readonly source: Cell; readonly target: Cell },
  tenant: TenantId,
  signal: AbortSignal,
  work: (sessions: MoveSessions) => Promise<T>,
): Promise<T> {
  const opened: pg.Client[] = [];
  const cut = (): void => {
    for (const client of opened) client.end().catch(() => undefined);
  };
  signal.addEventListener('abort', cut, { once: true });
  try {
    const [source, target] = [clientFor(cells.source, tenant), clientFor(cells.target, tenant)];
    opened.push(source, target);
    for (const client of opened) {
      signal.throwIfAborted();
      await take(client, tenant);
    }
    return await work({ source, target });
  } finally {
    signal.removeEventListener('abort', cut);
    await Promise.all(opened.map((client) => client.end().catch(() => undefined)));
  }
}

/** As `withMoveSessions`, where one of the cells is all that is needed or can be reached. */
export async function withMoveSession<T>(
  cell: Cell,
  tenant: TenantId,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = clientFor(cell, tenant);
  try {
    await take(client, tenant);
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** All or nothing, on one side. */
export async function inOneTransaction<T>(client: pg.Client, work: () => Promise<T>): Promise<T> {
  await client.query('BEGIN');
  try {
    const result = await work();
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

function clientFor(cell: Cell, tenant: TenantId): pg.Client {
  const client = new pg.Client({
    connectionString: cell.ownerUrl,
    application_name: nameOf(tenant),
    connectionTimeoutMillis: 5_000,
    lock_timeout: LOCK_WAIT_MS,
    keepAlive: true,
    options: SAME_TEXT,
  });
  // Without a listener a lost connection would end the process; the statement at work fails with it and is enough.
  client.on('error', () => undefined);
  return client;
}

async function take(client: pg.Client, tenant: TenantId): Promise<void> {
  await client.connect();
  await client.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE application_name = $1 AND datname = current_database() AND pid <> pg_backend_pid()`,
    [nameOf(tenant)],
  );
  await client.query('SELECT pg_advisory_lock($1, hashtext($2))', [MOVE_LOCKS, tenant]);
}

function nameOf(tenant: TenantId): string {
  return `waxell-move ${tenant}`;
}
