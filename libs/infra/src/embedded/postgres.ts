import { open, rename, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, DatabaseError } from 'pg';
import { createHome, lockFolder } from './home-lock.js';
import { postgresAccount, requireReachable, type PostgresAccount } from './postgres-account.js';
import { findPostgresBinaries } from './postgres-binaries.js';
import { createCluster, superuserPassword, SUPERUSER } from './postgres-cluster.js';
import { startWatched, type WatchedServer } from './postgres-watchdog.js';
import { readPostmasterFile, stopLeftover } from './postmaster-file.js';

export interface EmbeddedPostgresOptions {
  /** The data folder; created when missing. Files: postgres/, postgres-password, postgres.log. */
  readonly home: string;
  readonly onLog: (line: string) => void;
  /** The superuser's password, where the caller keeps it; else drawn at random and kept in the data folder. */
  readonly password?: string;
  /** Default: 100, more than one process with its default pools opens. */
  readonly maxConnections?: number;
}

export interface PostgresConnection {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

export interface EmbeddedPostgres {
  readonly connection: PostgresConnection;
  /** Resolves, in words, once the server has ended, whether or not it was asked to. */
  readonly exited: Promise<string>;
  /** A fast shutdown: open transactions are rolled back. Safe to call more than once. */
  stop(): Promise<void>;
}

const HOST = '127.0.0.1';
const LOG_LIMIT_BYTES = 16 * 1024 * 1024;
/** After a crash the server replays its log first; that takes as long as it takes, within reason. */
const START_LIMIT_MS = 300_000;

/**
 * Starts a real PostgreSQL 18 on this machine, for this process alone: it listens on a free port of 127.0.0.1,
 * demands a password (SCRAM), and ends when this process ends, however that happens.
 *
 * Fails with `HomeInUse` when another process has it running on the same folder.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { onLog } = options;
  if (process.platform === 'win32') {
    throw new Error(
      'The embedded PostgreSQL needs Linux or macOS (on Windows: WSL). Set DATABASE_URL instead.',
    );
  }
  const home = await createHome(options.home);
  // Also taken when the caller holds the whole folder: below, a server found running is taken for a leftover.
  const lock = await lockFolder(home, 'postgres');
  try {
    const data = join(home, 'postgres');
    const binaries = await findPostgresBinaries();
    const account = await postgresAccount(onLog);
    await requireReachable(account, [data, binaries.postgres]);
    const password = options.password ?? (await superuserPassword(home));
    await createCluster(home, password, binaries, account, onLog);
    await stopLeftover(data, onLog);
    const log = await openLog(home);
    const { server, port } = await startServer(binaries.postgres, data, account, log, options.maxConnections);
    const connection = { host: HOST, port, user: SUPERUSER, password, database: 'postgres' };
    try {
      await requirePassword(connection, data);
    } catch (cause) {
      server.stop();
      await server.exited;
      throw cause;
    }

    let stopping: Promise<void> | undefined;
    const stop = async () => {
      server.stop();
      await server.exited;
      // Normally nothing: only when somebody killed the watchdog does the server survive it.
      await stopLeftover(data, onLog);
      await lock.release();
    };
    void server.exited.then((how) => {
      if (!stopping) onLog(`PostgreSQL ended unexpectedly (${how}); see ${log}`);
    });
    return { connection, exited: server.exited, stop: () => (stopping ??= stop()) };
  } catch (cause) {
    await lock.release();
    throw cause;
  }
}

/** Keeps one former log, so that a long life does not fill the disk with it. */
async function openLog(home: string): Promise<string> {
  const log = join(home, 'postgres.log');
  const handle = await open(log, 'a', 0o600);
  const { size } = await handle.stat();
  await handle.close();
  if (size > LOG_LIMIT_BYTES) await rename(log, `${log}.1`);
  return log;
}

async function startServer(
  program: string,
  data: string,
  account: PostgresAccount,
  log: string,
  maxConnections = 100,
): Promise<{ server: WatchedServer; port: number }> {
  const deadline = Date.now() + 15_000;
  for (;;) {
    const logged = await sizeOf(log);
    const port = await freePort();
    const server = await startWatched([program, ...serverFlags(data, port, maxConnections)], account, log);
    if (await isReady(server, data, port)) return { server, port };
    const how = await server.exited;
    const said = await readFrom(log, logged);
    // Another program was faster with the port; or backends of a killed server have not noticed its end yet.
    const passing = /could not bind|pre-existing shared memory block/.test(said);
    if (!passing || Date.now() > deadline) {
      throw new Error(`PostgreSQL did not start (${how}). The end of ${log}:\n${said.slice(-2_000).trim()}`);
    }
    await sleep(250);
  }
}

function serverFlags(data: string, port: number, maxConnections: number): string[] {
  const settings = {
    listen_addresses: HOST,
    port: String(port),
    unix_socket_directories: '',
    max_connections: String(maxConnections),
    shared_buffers: '128MB',
    password_encryption: 'scram-sha-256',
    logging_collector: 'off',
    log_timezone: 'UTC',
    timezone: 'UTC',
    cluster_name: 'waxell',
  };
  return ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
}

/** Waits until the server accepts connections; false when it ended instead. */
async function isReady(server: WatchedServer, data: string, port: number): Promise<boolean> {
  const deadline = Date.now() + START_LIMIT_MS;
  while (server.isRunning()) {
    const state = await readPostmasterFile(data);
    if (state?.ready && state.port === port) return true;
    if (Date.now() > deadline) server.stop();
    await sleep(10);
  }
  return false;
}

async function requirePassword(connection: PostgresConnection, data: string): Promise<void> {
  const client = new Client({ ...connection, connectionTimeoutMillis: 10_000 });
  try {
    await client.connect();
  } catch (cause) {
    if (cause instanceof DatabaseError && cause.code === '28P01') {
      throw new Error(
        `The password is not the one that ${data} was created with: restore postgres-password.`,
        { cause },
      );
    }
    throw cause;
  } finally {
    await client.end();
  }
}

/** A port that was free a moment ago. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, HOST, () => {
      const address = probe.address();
      probe.close(() => {
        if (address !== null && typeof address === 'object') resolve(address.port);
        else reject(new Error('The system named no free port'));
      });
    });
  });
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch {
    // Just rotated away.
    return 0;
  }
}

async function readFrom(file: string, offset: number): Promise<string> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const start = Math.max(offset, size - 64 * 1024);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - start), 0, size - start, start);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}
