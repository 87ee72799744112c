import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  HomeInUse,
  startEmbeddedPostgres,
  type EmbeddedPostgres,
  type PostgresConnection,
} from '@waxell/infra';
import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const support = fileURLToPath(new URL('../support', import.meta.url));

let root: string;
let home: string;
const logged: string[] = [];
const started: EmbeddedPostgres[] = [];
const children: ChildProcess[] = [];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'waxell-pg-'));
  home = join(root, 'home');
  logged.length = 0;
  // mkdtemp makes it 0700; as root, PostgreSQL runs as another user and has to pass through.
  if (process.getuid?.() === 0) await chmod(root, 0o711);
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await Promise.all(started.splice(0).map((postgres) => postgres.stop()));
  await rm(root, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
});

async function start(): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres({ home, onLog: (line) => logged.push(line) });
  started.push(postgres);
  return postgres;
}

/** Another process that holds the database, and what it prints. */
function startElsewhere(): {
  child: ChildProcess;
  line: (wanted: RegExp) => Promise<string>;
  connected: () => Promise<PostgresConnection>;
} {
  const hooks = join(support, 'source-hooks.mjs');
  const child = spawn(process.execPath, ['--import', hooks, join(support, 'start-postgres.ts'), home], {
    // A process group of its own, as a terminal gives it.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  let complaints = '';
  child.stderr.on('data', (text: Buffer) => {
    complaints += text.toString();
  });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (text) => lines.push(text));
  const line = async (wanted: RegExp) => {
    for (let waited = 0; waited < 30_000; waited += 20) {
      const found = lines.find((text) => wanted.test(text));
      if (found !== undefined) return found;
      if (child.exitCode !== null) break;
      await sleep(20);
    }
    throw new Error(`never printed ${wanted}: ${complaints}`);
  };
  const connected = async () => {
    const connection: PostgresConnection = JSON.parse(await line(/port/));
    return connection;
  };
  return { child, line, connected };
}

async function query(connection: PostgresConnection, sql: string): Promise<unknown[]> {
  const client = new Client({ ...connection });
  await client.connect();
  try {
    const { rows } = await client.query<unknown[]>({ text: sql, rowMode: 'array' });
    return rows.flat();
  } finally {
    await client.end();
  }
}

/** Ids of the processes whose arguments name this test's data folder. */
async function postgresProcesses(): Promise<string[]> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && name !== String(process.pid));
  const found = await Promise.all(
    ids.map(async (id) => {
      const args = await readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '');
      return args.includes(join(home, 'postgres')) ? [id] : [];
    }),
  );
  return found.flat();
}

async function areWatchdogs(ids: readonly string[]): Promise<string[]> {
  const args = await Promise.all(ids.map((id) => readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')));
  return ids.filter((_, index) => args[index]?.includes('waxell-watchdog'));
}

async function untilGone(limitMs: number): Promise<number> {
  const begin = Date.now();
  while ((await postgresProcesses()).length > 0) {
    if (Date.now() - begin > limitMs) throw new Error(`PostgreSQL still runs after ${limitMs} ms`);
    await sleep(50);
  }
  return Date.now() - begin;
}

describe('the embedded PostgreSQL', () => {
  it('is version 18 in UTF-8, sorted by code point, with checksums, and asks for a SCRAM password', async () => {
    const { connection } = await start();
    const [version, encoding, locale, checksums, encryption, sockets] = await query(
      connection,
      `select current_setting('server_version_num')::int / 10000, pg_encoding_to_char(encoding), datlocale,
              current_setting('data_checksums'), (select left(rolpassword, 13) from pg_authid where rolname = 'postgres'),
              current_setting('unix_socket_directories')
         from pg_database where datname = current_database()`,
    );
    expect({ version, encoding, locale, checksums, encryption, sockets }).toEqual({
      version: 18,
      encoding: 'UTF8',
      locale: 'C.UTF-8',
      checksums: 'on',
      encryption: 'SCRAM-SHA-256',
      sockets: '',
    });
    expect(connection.host).toBe('127.0.0.1');
  });

  it('refuses a wrong password, and keeps the right one out of the process list and from other users', async () => {
    const { connection } = await start();
    await expect(query({ ...connection, password: 'wrong' }, 'select 1')).rejects.toMatchObject({
      code: '28P01',
    });
    expect((await stat(join(home, 'postgres-password'))).mode & 0o777).toBe(0o600);
    const ids = await postgresProcesses();
    expect(ids.length).toBeGreaterThan(0);
    for (const id of ids) {
      expect(await readFile(`/proc/${id}/cmdline`, 'utf8')).not.toContain(connection.password);
      expect(await readFile(`/proc/${id}/environ`, 'utf8')).not.toContain(connection.password);
    }
  });

  it('keeps its data over a restart, and leaves no process behind when stopped', async () => {
    const first = await start();
    await query(first.connection, 'create table kept as select 42 as answer');
    await first.stop();
    expect(await postgresProcesses()).toEqual([]);
    const second = await start();
    expect(await query(second.connection, 'select answer from kept')).toEqual([42]);
  });

  it('refuses a second process on the same data folder', async () => {
    await start();
    await expect(start()).rejects.toBeInstanceOf(HomeInUse);
    await expect(startElsewhere().line(/port/)).rejects.toThrow(`in use by process ${process.pid}`);
  });

  it('tells when the server ends unasked', async () => {
    const postgres = await start();
    const pid = Number((await readFile(join(home, 'postgres', 'postmaster.pid'), 'utf8')).split('\n')[0]);
    process.kill(pid, 'SIGQUIT');
    await postgres.exited;
    await sleep(10);
    expect(logged.join('\n')).toContain('ended unexpectedly');
  });
});

describe('when its process dies', () => {
  it('leaves no PostgreSQL within two seconds of a kill -9, and loses nothing committed', async () => {
    const { child, connected } = startElsewhere();
    const connection = await connected();
    await query(connection, 'create table kept as select 42 as answer');
    // An open session in a transaction must not delay the end.
    const idle = new Client({ ...connection });
    idle.on('error', () => undefined);
    await idle.connect();
    await idle.query('begin');
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await untilGone(2_000)).toBeLessThan(2_000);
    const { connection: again } = await start();
    expect(await query(again, 'select answer from kept')).toEqual([42]);
  });

  it('stops a PostgreSQL that survived both its process and the watchdog', async () => {
    const { child, connected } = startElsewhere();
    const connection = await connected();
    await query(connection, 'create table kept as select 42 as answer');
    const server = (await readFile(join(home, 'postgres', 'postmaster.pid'), 'utf8')).split('\n')[0];
    const watchdogs = await areWatchdogs(await postgresProcesses());
    // All at once: one that sees the other's end would stop the server. Who is stopped sees nothing.
    for (const signal of ['SIGSTOP', 'SIGKILL'] as const)
      for (const id of watchdogs) process.kill(Number(id), signal);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await postgresProcesses()).toContain(server);
    const { connection: again } = await start();
    expect(logged.join('\n')).toContain('left running');
    expect(await query(again, 'select answer from kept')).toEqual([42]);
  });

  it('recovers from a postmaster that was killed itself', async () => {
    const postgres = await start();
    await query(postgres.connection, 'create table kept as select 42 as answer');
    process.kill(
      Number((await readFile(join(home, 'postgres', 'postmaster.pid'), 'utf8')).split('\n')[0]),
      'SIGKILL',
    );
    await postgres.exited;
    await postgres.stop();
    const { connection } = await start();
    expect(await query(connection, 'select answer from kept')).toEqual([42]);
  });
});

it('serves on while the application drains after a Ctrl-C in its terminal', async () => {
  const { child, line, connected } = startElsewhere();
  const connection = await connected();
  if (child.pid === undefined) throw new Error('not started');
  // A terminal signals the whole process group.
  process.kill(-child.pid, 'SIGINT');
  await line(/draining/);
  // A service manager may signal the watchdog as well.
  for (const id of await areWatchdogs(await postgresProcesses())) process.kill(Number(id), 'SIGTERM');
  await sleep(300);
  expect(await query(connection, 'select 1')).toEqual([1]);
  child.kill('SIGKILL');
  expect(await untilGone(2_000)).toBeLessThan(2_000);
});

describe('a first start that was interrupted', () => {
  it('is mended when the process was killed in the middle of initdb', async () => {
    const { child } = startElsewhere();
    const building = async () =>
      (await readdir(home).catch(() => [])).find((name) => name.includes('building'));
    while ((await building()) === undefined) await sleep(5);
    await sleep(150);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await readdir(home)).not.toContain('postgres');
    const { connection } = await start();
    expect(await query(connection, 'select 1')).toEqual([1]);
    expect(await building()).toBeUndefined();
  });

  it('sets aside a folder that holds no complete database, and deletes nothing of it', async () => {
    await mkdir(join(home, 'postgres', 'base'), { recursive: true });
    await writeFile(join(home, 'postgres', 'PG_VERSION'), '18\n');
    await appendFile(join(home, 'postgres', 'base', 'precious'), 'rows');
    const { connection } = await start();
    expect(await query(connection, 'select 1')).toEqual([1]);
    const aside = (await readdir(home)).find((name) => name.startsWith('postgres.incomplete-'));
    expect(await readFile(join(home, aside ?? 'missing', 'base', 'precious'), 'utf8')).toBe('rows');
  });
});

it.runIf(process.getuid?.() === 0)('says which folder the user postgres cannot pass through', async () => {
  home = join(root, 'closed', 'home');
  await mkdir(join(root, 'closed'), { mode: 0o700 });
  await expect(start()).rejects.toThrow(`chmod o+x '${join(root, 'closed')}'`);
});
