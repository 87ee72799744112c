import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Application } from '../support/application.js';
import { place, TestAuthority } from '../support/certificates.js';
import { eventually } from '../support/eventually.js';
import { showCertificate, startWithTls } from '../support/tls-application.js';
import { httpsGet, type TlsAnswer } from '../support/tls-client.js';
import { startTlsPostgres, type TlsPostgres } from '../support/tls-postgres.js';
import { acceptedSuites } from '../support/tls-scan.js';

const run = promisify(execFile);
const MIGRATE = fileURLToPath(new URL('../../dist/migrate.js', import.meta.url));

let authority: TestAuthority;
let dir: string;
let app: Application;

beforeAll(async () => {
  authority = await TestAuthority.create();
  dir = await mkdtemp(join(tmpdir(), 'waxell-certificates-'));
  await show('first', 'rsa');
  app = await startWithTls(authority, { TLS_CERT_FILE: file('tls.crt'), TLS_KEY_FILE: file('tls.key') });
});
afterAll(async () => {
  await app.dispose();
  await rm(dir, { recursive: true });
});

const file = (name: string): string => join(dir, name);

/** Replaces the server's certificate, without waiting for it to be taken. */
const show = (name: string, kind?: 'rsa' | 'ecdsa'): Promise<void> =>
  showCertificate(authority, dir, name, kind);

/** Waits until a new connection sees it. */
async function shown(name: string): Promise<void> {
  await eventually(async () => {
    const answer = await httpsGet(app.port, '/healthz', { ca: authority.ca });
    expect(answer.shownBy).toBe(name);
  }, 30_000);
}

describe('a certificate that is replaced', () => {
  it('is shown to new connections; no request fails, and open connections go on', async () => {
    await show('second', 'ecdsa');
    await shown('second');
    const failures: unknown[] = [];
    const seen = new Set<string>();
    const kept = { agent: new Agent({ keepAlive: true, maxSockets: 1 }), answers: [] as string[] };
    const stopped = new AbortController();
    const load = async (agent: Agent | undefined, note: (shownBy: string) => unknown): Promise<void> => {
      const client = { ca: authority.ca, ...(agent && { agent }) };
      while (!stopped.signal.aborted) {
        const answer = await httpsGet(app.port, '/readyz', client).catch((error: unknown) => error);
        if (answer instanceof Error || (answer as TlsAnswer).status !== 200) failures.push(answer);
        else note((answer as TlsAnswer).shownBy);
      }
    };
    const fresh = (): Promise<void> => load(undefined, (name) => seen.add(name));
    const clients = [fresh(), fresh(), load(kept.agent, (name) => kept.answers.push(name))];
    for (const name of ['third', 'fourth']) {
      await show(name);
      await shown(name);
      const answered = kept.answers.length;
      await eventually(() => Promise.resolve(expect(kept.answers.length).toBeGreaterThan(answered)), 10_000);
    }
    stopped.abort();
    await Promise.all(clients);
    kept.agent.destroy();
    expect(failures).toEqual([]);
    expect([...seen]).toEqual(expect.arrayContaining(['second', 'third', 'fourth']));
    expect(new Set(kept.answers)).toEqual(new Set(['second']));
  });

  it('decides the suites of TLS 1.2 by its kind of key, and they are as good', async () => {
    expect(await acceptedSuites(app.port, 'TLS 1.2')).toEqual(['c02b', 'c02c', 'cca9']);
  });

  it('stays while its replacement is half written, which the log says; the whole one is taken', async () => {
    const next = await authority.issue({ commonName: 'sixth', usage: 'server' });
    await writeFile(file('tls.crt'), next.cert.slice(0, 200));
    await eventually(() => told('is not a complete list of PEM certificates'), 30_000);
    await writeFile(file('tls.crt'), next.cert);
    await eventually(() => told('the key is not that of the first certificate'), 30_000);
    expect((await httpsGet(app.port, '/healthz', { ca: authority.ca })).shownBy).toBe('fourth');
    await writeFile(file('tls.key'), next.key);
    await shown('sixth');
  });

  it('is taken at SIGHUP, which does not end the process', async () => {
    await show('seventh');
    process.kill(app.pid, 'SIGHUP');
    await eventually(() => told('SIGHUP: reading the certificates again.'), 10_000);
    await shown('seventh');
    expect((await httpsGet(app.port, '/readyz', { ca: authority.ca })).status).toBe(200);
  });

  const told = (text: string): Promise<void> => {
    expect(app.logs()).toContain(text);
    return Promise.resolve();
  };
});

describe('a process whose certificates expire soon', () => {
  const DAY = 86_400_000;
  /** Of a life of 90 days so many are left. */
  const left = (days: number): { from: Date; until: Date } => ({
    from: new Date(Date.now() + (days - 90) * DAY),
    until: new Date(Date.now() + days * DAY),
  });
  let postgres: TlsPostgres;
  let expiring: Application | undefined;

  beforeAll(async () => {
    postgres = await startTlsPostgres(authority);
  });
  afterAll(async () => {
    await expiring?.dispose();
    await postgres.stop();
  });

  it('says so at its start: of its own, and of those that it shows to the database', async () => {
    await postgres.issue('waxell_app', left(20));
    await postgres.issue('waxell_audit', left(31));
    const server = await authority.issue({ commonName: 'eighth', usage: 'server', ...left(5) });
    await place(dir, { 'soon.crt': server.cert, 'soon.key': server.key });
    const database = { DATABASE_URL: postgres.urlWith(), DATABASE_LOGIN_SECRET: 'x'.repeat(32) };
    await run(process.execPath, [MIGRATE], { env: { ...process.env, ...database, LOG_LEVEL: 'warn' } });
    expiring = await startWithTls(authority, {
      TLS_CERT_FILE: file('soon.crt'),
      TLS_KEY_FILE: file('soon.key'),
      ...database,
    });
    const told = [...expiring.logs().matchAll(/"level":(\d+).*"msg":"The certificate of ([^"]+) expires/g)];
    // Those that the test's authority issues for a day have their day: a third of their life is not reached.
    expect(told.map(([, level, name]) => `${name} ${level}`).sort()).toEqual([
      'database client us-east-1-c1 waxell_app 40',
      'server 50',
    ]);
    expect(expiring.logs()).not.toContain(postgres.url.password);
  }, 180_000);
});
