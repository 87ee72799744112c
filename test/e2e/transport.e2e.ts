import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext, createServer, type Server } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Application, newHome } from '../support/application.js';
import { place, TestAuthority, type KeyPair } from '../support/certificates.js';
import { acceptedGroups, acceptedSuites, answerTo } from '../support/tls-scan.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { handshake, httpsGet, type TlsAnswer } from '../support/tls-client.js';
import { startTlsPostgres, type TlsPostgres } from '../support/tls-postgres.js';

const run = promisify(execFile);
const MIGRATE = fileURLToPath(new URL('../../dist/migrate.js', import.meta.url));

/** ECDHE with AES-GCM or ChaCha20-Poly1305, by the kind of the server's key. */
const AEAD = {
  rsa: ['c02f', 'c030', 'cca8'],
  ecdsa: ['c02b', 'c02c', 'cca9'],
  'TLS 1.3': ['1301', '1302', '1303'],
};

/** How a refusal looks to the client: an alert of TLS, or, when the connection is gone before it is read, that. */
const REFUSED = /alert|ECONNRESET|EPIPE|socket hang up/;

let authority: TestAuthority;
let dir: string;
let app: Application;

beforeAll(async () => {
  authority = await TestAuthority.create();
  dir = await mkdtemp(join(tmpdir(), 'waxell-transport-'));
  await show('first', 'rsa');
  app = await startWithTls({ TLS_CERT_FILE: file('tls.crt'), TLS_KEY_FILE: file('tls.key') });
});
afterAll(async () => {
  await app.dispose();
  await rm(dir, { recursive: true });
});

const file = (name: string): string => join(dir, name);

function issue(commonName: string, kind: 'rsa' | 'ecdsa' = 'ecdsa'): Promise<KeyPair> {
  return authority.issue({ commonName, kind, usage: 'server' });
}

/** Replaces the server's certificate, without waiting for it to be taken. */
async function show(name: string, kind: 'rsa' | 'ecdsa' = 'ecdsa'): Promise<void> {
  const { cert, key } = await issue(name, kind);
  await place(dir, { 'tls.crt': cert, 'tls.key': key });
}

/** Waits until a new connection sees it. */
async function shown(name: string): Promise<void> {
  await eventually(async () => {
    const answer = await httpsGet(app.port, '/healthz', { ca: authority.ca });
    expect(answer.shownBy).toBe(name);
  }, 30_000);
}

async function startWithTls(env: Record<string, string>, client: { cert?: string; key?: string } = {}) {
  const application = new Application(await newHome(), await freePort(), { LOG_LEVEL: 'info', ...env });
  const child = application.launch();
  await eventually(async () => {
    if (child.exitCode !== null) throw new Error(application.logs());
    const { status } = await httpsGet(application.port, '/readyz', { ca: authority.ca, ...client });
    expect(status).toBe(200);
  }, 60_000);
  return application;
}

describe('the scan itself', () => {
  let lax: Server;
  let port: number;

  beforeAll(async () => {
    const { cert, key } = await issue('lax', 'rsa');
    const ciphers = 'TLS_AES_128_GCM_SHA256:TLS_AES_128_CCM_SHA256:ALL:COMPLEMENTOFALL:@SECLEVEL=0';
    lax = createServer({ cert, key, ciphers, minVersion: 'TLSv1', ecdhCurve: 'P-256:P-521' });
    lax.on('tlsClientError', () => undefined);
    await once(lax.listen(0, '127.0.0.1'), 'listening');
    port = (lax.address() as { port: number }).port;
  });
  afterAll(() => lax.close());

  it('finds what a lax server accepts: TLS 1.0, CBC, RSA key exchange, no encryption, P-521', async () => {
    const suites = await acceptedSuites(port, 'TLS 1.2');
    // RSA with CBC and with no encryption, ECDHE with CBC, ARIA and CCM; and what is good.
    expect(suites).toEqual(
      expect.arrayContaining(['002f', '003c', '009c', '0002', 'c013', 'c09c', 'c02f', 'cca8']),
    );
    expect(await acceptedSuites(port, 'TLS 1.0')).toEqual(expect.arrayContaining(['002f', 'c013']));
    expect(await answerTo(port, 'TLS 1.1')).toMatchObject({ kind: 'hello', version: 0x0302 });
    expect(await acceptedSuites(port, 'TLS 1.3')).toEqual(expect.arrayContaining(['1301', '1304']));
    expect(await acceptedGroups(port, 0xc02f)).toEqual(['P-256', 'P-521']);
  });
});

describe('a server with a certificate', () => {
  it('closes a plain connection without an answer', async () => {
    const socket = connect(app.port, '127.0.0.1', () =>
      socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'),
    );
    let said = '';
    socket.on('data', (text: Buffer) => (said += text.toString('latin1')));
    socket.on('error', () => undefined);
    await once(socket, 'close');
    expect(said).not.toContain('HTTP/1');
    expect(said.length).toBeLessThan(16);
  });

  it.each(['SSL 3.0', 'TLS 1.0', 'TLS 1.1'] as const)('refuses %s, whatever the suites', async (version) => {
    const reply = await answerTo(app.port, version);
    // protocol_version; handshake_failure where the library has forgotten that there was such a version.
    expect(reply.kind === 'alert' && [70, 40].includes(reply.description)).toBe(true);
  });

  it('accepts of all suites of TLS 1.2 those with ECDHE and authenticated encryption alone', async () => {
    expect(await acceptedSuites(app.port, 'TLS 1.2')).toEqual(AEAD.rsa);
  });

  it('accepts of TLS 1.3 those that RFC 8446 wants, without the shortened tag', async () => {
    expect(await acceptedSuites(app.port, 'TLS 1.3')).toEqual(AEAD['TLS 1.3']);
  });

  it('agrees on keys in X25519, P-256 and P-384 alone, and in the hybrid with those who have it', async () => {
    expect(await acceptedGroups(app.port, 0xc02f)).toEqual(['P-256', 'P-384', 'X25519']);
    if (!knows('X25519MLKEM768')) return;
    const socket = await handshake(app.port, { ca: authority.ca, ecdhCurve: 'X25519MLKEM768' });
    expect(socket.getProtocol()).toBe('TLSv1.3');
    socket.destroy();
  });

  it('prefers TLS 1.3 and its own order of suites', async () => {
    const socket = await handshake(app.port, {
      ca: authority.ca,
      ciphers: 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384',
      ALPNProtocols: ['h2', 'http/1.1'],
    });
    expect({
      protocol: socket.getProtocol(),
      suite: socket.getCipher().standardName,
      alpn: socket.alpnProtocol,
    }).toEqual({ protocol: 'TLSv1.3', suite: 'TLS_AES_256_GCM_SHA384', alpn: 'http/1.1' });
    socket.destroy();
  });

  it('refuses a client that wants to renegotiate', async () => {
    const socket = await handshake(app.port, { ca: authority.ca, maxVersion: 'TLSv1.2' });
    const refused = new Promise<Error | null>((resolve) => {
      socket.once('error', resolve);
      socket.once('close', () => resolve(new Error('closed')));
      socket.renegotiate({}, resolve);
    });
    expect(await refused).toBeInstanceOf(Error);
    socket.destroy();
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('resumes no session of %s', async (version) => {
    const options = { ca: authority.ca, minVersion: version, maxVersion: version };
    const first = await handshake(app.port, options);
    const sessions: Buffer[] = [];
    first.on('session', (session: Buffer) => sessions.push(session));
    first.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await once(first, 'data');
    const session = sessions.at(-1) ?? first.getSession();
    first.destroy();
    const second = await handshake(app.port, { ...options, ...(session && { session }) });
    expect(second.isSessionReused()).toBe(false);
    second.destroy();
  });

  it('sends HSTS for a year with sub-domains', async () => {
    const { headers } = await httpsGet(app.port, '/healthz', { ca: authority.ca });
    expect(headers['strict-transport-security']).toBe('max-age=31536000; includeSubDomains');
  });

  it('says https where it says where it is', () => {
    expect(app.logs()).toContain(`Listening on https://localhost:${app.port}`);
  });
});

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

  it('has the suites of its own kind of key, and no others', async () => {
    expect(await acceptedSuites(app.port, 'TLS 1.2')).toEqual(AEAD.ecdsa);
  });

  it('stays while its replacement is half written, which the log says; the whole one is taken', async () => {
    const next = await issue('sixth');
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

describe('a server that demands certificates', () => {
  let demanding: Application;
  let client: KeyPair;

  beforeAll(async () => {
    client = await authority.issue({ commonName: 'gateway', usage: 'client' });
    await place(dir, { 'clients.crt': authority.ca });
    demanding = await startWithTls(
      {
        TLS_CERT_FILE: file('tls.crt'),
        TLS_KEY_FILE: file('tls.key'),
        TLS_CLIENT_CA_FILE: file('clients.crt'),
        TLS_MIN_VERSION: '1.3',
      },
      client,
    );
  });
  afterAll(() => demanding.dispose());

  const ask = (presented: Partial<KeyPair>): Promise<number> =>
    httpsGet(demanding.port, '/healthz', { ca: authority.ca, ...presented }).then(({ status }) => status);

  it('answers whoever has one of its authority', async () => {
    expect(await ask(client)).toBe(200);
  });

  it('refuses whoever has none, one of another authority, one for servers, or an expired one', async () => {
    await expect(ask({})).rejects.toThrow(REFUSED);
    const stranger = await (await TestAuthority.create()).issue({ commonName: 'gateway', usage: 'client' });
    await expect(ask(stranger)).rejects.toThrow(REFUSED);
    await expect(ask(await issue('gateway'))).rejects.toThrow(REFUSED);
    const [from, until] = [new Date(Date.now() - 7_200_000), new Date(Date.now() - 3_600_000)];
    await expect(
      ask(await authority.issue({ commonName: 'gateway', usage: 'client', from, until })),
    ).rejects.toThrow(REFUSED);
    expect(await ask(client)).toBe(200);
  });

  it('no longer believes an authority that was replaced', async () => {
    const other = await TestAuthority.create('Other authority');
    await place(dir, { 'clients.crt': other.ca });
    await eventually(() => expect(ask(client)).rejects.toThrow(REFUSED), 30_000);
    expect(await ask(await other.issue({ commonName: 'gateway', usage: 'client' }))).toBe(200);
  });

  it('speaks TLS 1.3 alone when told to', async () => {
    expect(await answerTo(demanding.port, 'TLS 1.2')).toMatchObject({ kind: 'alert', description: 70 });
  });
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
    expiring = await startWithTls({
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
  });
});

function knows(group: string): boolean {
  try {
    createSecureContext({ ecdhCurve: group });
    return true;
  } catch {
    return false;
  }
}
