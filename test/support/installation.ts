import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { newKey } from '../../src/platform/http/credential.js';
import { isReady, newHome } from './application.js';
import { COMPILED } from './compiled.js';
import { freePort } from './free-port.js';
import { eventually } from './eventually.js';
import { startTestPostgres } from './test-postgres.js';

const SHIFTED_CLOCK = fileURLToPath(new URL('shifted-clock.mjs', import.meta.url));
const DIST = fileURLToPath(new URL('../../dist/', import.meta.url));

/** Several processes on one database, as an operator runs them behind a load balancer. */
export interface Installation {
  readonly baseUrls: readonly string[];
  readonly operatorKey: string;
  /** The database's own URL, as its superuser. */
  readonly databaseUrl: string;
  logs(): string;
  /** Moves the clocks of all processes to so many milliseconds ahead of the machine's. */
  setAhead(milliseconds: number): Promise<void>;
  dispose(): Promise<void>;
}

/** @param further variables beyond those of every installation */
export async function startInstallation(
  processes: number,
  further: Readonly<Record<string, string>> = {},
): Promise<Installation> {
  const home = await newHome();
  const postgres = await startTestPostgres(join(home, 'data'));
  const { host, port, user, password, database } = postgres.connection;
  const databaseUrl = `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`;
  const operatorKey = newKey('operator');
  const clock = join(home, 'clock');
  const env = {
    PATH: process.env['PATH'] ?? '',
    WAXELL_HOME: join(home, 'shared'),
    DATABASE_URL: databaseUrl,
    DATABASE_LOGIN_SECRET: 'of the tests '.repeat(4),
    DATABASE_POOL: '4',
    PUBLIC_URL: 'http://waxell.example',
    WAXELL_OPERATOR_KEY_HASH: createHash('sha256').update(operatorKey).digest('hex'),
    WORKER: 'in-process',
    LOG_LEVEL: 'warn',
    ...COMPILED,
    NODE_OPTIONS: `--import=${SHIFTED_CLOCK}`,
    TEST_CLOCK_FILE: clock,
    ...further,
  };
  await promisify(execFile)(process.execPath, [join(DIST, 'migrate.js')], { env });
  let output = '';
  await writeFile(clock, '0');
  const children: ChildProcess[] = [];
  const baseUrls: string[] = [];
  for (let at = 0; at < processes; at += 1) {
    const own = await freePort();
    const child = spawn(process.execPath, ['--enable-source-maps', join(DIST, 'main.js')], {
      env: { ...env, PORT: String(own) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (text: Buffer) => {
        output += text.toString();
      });
    process.once('exit', () => child.kill('SIGKILL'));
    children.push(child);
    baseUrls.push(`http://127.0.0.1:${own}`);
  }
  for (const url of baseUrls)
    await eventually(async () => {
      if (!(await isReady(url))) throw new Error(`Not ready:\n${output}`);
    }, 60_000);
  return {
    baseUrls,
    operatorKey,
    databaseUrl,
    logs: () => output,
    setAhead: async (milliseconds) => {
      await writeFile(clock, String(milliseconds));
      for (const child of children) child.kill('SIGUSR2');
    },
    dispose: async () => {
      for (const child of children) {
        child.kill('SIGTERM');
        if (child.exitCode === null) await once(child, 'close');
      }
      await postgres.stop();
      await rm(home, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    },
  };
}
