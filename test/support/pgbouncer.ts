import { execFile, spawn } from 'node:child_process';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LOGINS, loginPassword, loginRole } from '../../src/platform/database/logins.js';
import { haveProgram } from './debian-package.js';
import { eventually } from './eventually.js';
import { freePort } from './free-port.js';

const run = promisify(execFile);

export interface TestPgBouncer {
  /** The URL of the database behind it, as `DATABASE_POOLER_URL` would have it. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Whether there is a PgBouncer here; said in one line where there is none and none may be installed. */
export async function havePgBouncer(): Promise<boolean> {
  const have = await haveProgram('pgbouncer', 'pgbouncer');
  if (!have)
    process.stderr.write('SKIPPED: everything through PgBouncer: none is here and none can be installed\n');
  return have;
}

/** A PgBouncer in transaction mode before one database: few server connections for each login, so that all are shared. */
export async function startPgBouncer(
  databaseUrl: string,
  loginSecret: string,
  serverConnections: number,
): Promise<TestPgBouncer> {
  const server = new URL(databaseUrl);
  const database = server.pathname.slice(1);
  const dir = await mkdtemp(join(tmpdir(), 'waxell-pgbouncer-'));
  const port = await freePort();
  const users = LOGINS.map((login) => `"${loginRole(login)}" "${loginPassword(loginSecret, login)}"`);
  const files = {
    'users.txt': users.join('\n'),
    'pgbouncer.ini': `[databases]
${database} = host=${server.hostname} port=${server.port} dbname=${database}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${join(dir, 'users.txt')}
pool_mode = transaction
default_pool_size = ${serverConnections}
max_client_conn = 200
${(await hasPreparedStatements()) ? 'max_prepared_statements = 200' : ''}
`,
  };
  // It refuses to run as root; Debian's package brings this user.
  const account = process.getuid?.() === 0 ? await systemUser('postgres') : undefined;
  await chmod(dir, 0o711);
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(dir, name), content, { mode: 0o600 });
    if (account) await chown(join(dir, name), account.uid, account.gid);
  }
  const child = spawn('pgbouncer', ['-q', join(dir, 'pgbouncer.ini')], {
    stdio: ['ignore', 'ignore', 'ignore'],
    ...account,
  });
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
  // A test run that is killed must not leave it behind.
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  await eventually(() => reachable(port), 10_000);
  return {
    url: `postgres://127.0.0.1:${port}/${database}`,
    stop: async () => {
      process.off('exit', kill);
      kill();
      await exited;
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** Since 1.21 it can keep them; ours must not depend on it. */
async function hasPreparedStatements(): Promise<boolean> {
  const { stdout } = await run('pgbouncer', ['--version']);
  const [, major, minor] = /(\d+)\.(\d+)/.exec(stdout) ?? [];
  return Number(major) > 1 || Number(minor) >= 21;
}

async function systemUser(name: string): Promise<{ uid: number; gid: number }> {
  const [uid, gid] = await Promise.all(
    ['-u', '-g'].map(async (flag) => Number((await run('id', [flag, name])).stdout)),
  );
  return { uid: uid ?? 0, gid: gid ?? 0 };
}

function reachable(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve();
    });
    socket.once('error', reject);
  });
}
