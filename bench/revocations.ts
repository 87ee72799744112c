import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Caller } from '../test/tour/api.ts';
import type { Application } from '../test/tour/application.ts';
import { EmbeddedDatabase } from '../test/tour/database.ts';
import { must, UNREACHED_LIMITS } from './our-side.ts';

const BUILT = fileURLToPath(new URL('../dist/', import.meta.url));
const { newKey } = (await import(
  new URL('../dist/platform/http/credential.js', import.meta.url).href
)) as typeof import('../src/platform/http/credential.js');

const EACH = 100;
const PASSWORD = 'Marmalade on 12 scones';
const START_LIMIT_MS = 60_000;
/** No refusal takes so long; whatever has not come by then does not come. */
const REFUSAL_LIMIT_MS = 10_000;

export interface Revocations {
  readonly count: number;
  /** From the answer that a credential is revoked to the last request with it that another process took. */
  readonly p50: number;
  readonly p99: number;
}

/** Two processes on a database of their own, on an embedded application's server: what one revokes is shown to the other. */
export async function revocationsOfTwo(app: Application): Promise<Revocations> {
  const operatorKey = newKey('operator');
  const children: ChildProcess[] = [];
  try {
    const common = await installation(app, operatorKey);
    await promisify(execFile)(process.execPath, [join(BUILT, 'migrate.js')], { env: common });
    const urls: string[] = [];
    for (let at = 0; at < 2; at += 1) {
      const port = await freePort();
      const stdio = ['ignore', 'ignore', 'inherit'] as const;
      children.push(
        spawn(process.execPath, [join(BUILT, 'main.js')], {
          env: { ...common, PORT: String(port) },
          stdio: [...stdio],
        }),
      );
      urls.push(`http://127.0.0.1:${port}`);
    }
    for (const url of urls) await ready(url);
    const [first = '', second = ''] = urls;
    return await measured(first, second, operatorKey);
  } finally {
    for (const child of children) {
      child.kill('SIGTERM');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    }
  }
}

async function installation(app: Application, operatorKey: string): Promise<Record<string, string>> {
  const database = await EmbeddedDatabase.of(app.home);
  await database.asSuperuser((client) => client.query('CREATE DATABASE two'));
  const url = new URL(database.ownerUrl);
  url.pathname = '/two';
  const home = join(app.home, 'two');
  await mkdir(home);
  return {
    PATH: process.env['PATH'] ?? '',
    WAXELL_HOME: home,
    DATABASE_URL: url.href,
    // Logins belong to the server, and have one password each.
    DATABASE_LOGIN_SECRET: (await readFile(join(app.home, 'database-login-secret'), 'utf8')).trim(),
    DATABASE_POOL: '4',
    PUBLIC_URL: 'http://waxell.example',
    WAXELL_OPERATOR_KEY_HASH: createHash('sha256').update(operatorKey).digest('hex'),
    WORKER: 'in-process',
    SPARE_TENANTS: '1',
    LOG_LEVEL: 'error',
    ...UNREACHED_LIMITS,
  };
}

async function measured(first: string, second: string, operatorKey: string): Promise<Revocations> {
  const slug = 'revocations';
  const credentials = { email: 'owner@revocations.example', password: PASSWORD };
  await must(
    new Caller(first, operatorKey).post('/v1/tenants', { slug, name: slug, owner: credentials }),
    201,
  );
  const signIn = async (): Promise<string> => {
    const answer = await must(new Caller(first, undefined, slug).post('/v1/auth/login', credentials), 200);
    return (answer as { accessToken: string }).accessToken;
  };
  const owner = new Caller(first, await signIn());
  const late: number[] = [];
  for (let round = 0; round < EACH; round += 1) {
    const made = await must(owner.post('/v1/api-keys', { name: `key ${round}`, scopes: ['*:read'] }), 201);
    const { id, key } = made as { id: string; key: string };
    late.push(await refusedAfter(second, key, () => must(owner.send('DELETE', `/v1/api-keys/${id}`), 204)));
    const token = await signIn();
    late.push(
      await refusedAfter(second, token, () => must(new Caller(first, token).post('/v1/auth/logout'), 204)),
    );
  }
  late.sort((a, b) => a - b);
  const at = (part: number): number => Math.round(late[Math.ceil(late.length * part) - 1] ?? Number.NaN);
  return { count: late.length, p50: at(0.5), p99: at(0.99) };
}

/** How long after the answer a request with the credential was still begun that was taken. */
async function refusedAfter(
  baseUrl: string,
  credential: string,
  revoke: () => Promise<unknown>,
): Promise<number> {
  const caller = new Caller(baseUrl, credential);
  await must(caller.get('/v1/me'), 200);
  let revokedAt = Number.POSITIVE_INFINITY;
  let failure: unknown;
  const revoked = sleep(20)
    .then(revoke)
    .then(
      () => (revokedAt = performance.now()),
      (error: unknown) => (failure = error),
    );
  let taken = 0;
  for (;;) {
    if (failure !== undefined) throw failure;
    const begun = performance.now();
    const { status } = await caller.get('/v1/me');
    if (status === 401) break;
    if (status !== 200) throw new Error(`Answered ${status}.`);
    taken = begun;
    if (begun - revokedAt > REFUSAL_LIMIT_MS) throw new Error('A revoked credential is taken on and on.');
  }
  await revoked;
  return Math.max(0, taken - revokedAt);
}

async function ready(url: string): Promise<void> {
  const deadline = Date.now() + START_LIMIT_MS;
  for (;;) {
    const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(5_000) }).catch(
      () => undefined,
    );
    if (answer?.ok) return;
    if (Date.now() > deadline) throw new Error(`${url} was not ready in time.`);
    await sleep(50);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
