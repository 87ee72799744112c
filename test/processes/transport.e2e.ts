import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext, createServer, type Server } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Application } from '../support/application.js';
import { showCertificate, startWithTls } from '../support/tls-application.js';
import { place, TestAuthority, type KeyPair } from '../support/certificates.js';
import { acceptedGroups, acceptedSuites, answerTo } from '../support/tls-scan.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';
import { handshake, httpsGet } from '../support/tls-client.js';

const HEALTH_CHECK = fileURLToPath(new URL('../../docker/healthcheck.mjs', import.meta.url));

/** With AES-GCM or ChaCha20-Poly1305; those of 1.2 with ECDHE and, as the server's key is, RSA. */
const AEAD = {
  'TLS 1.2': ['c02f', 'c030', 'cca8'],
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
  await showCertificate(authority, dir, 'first', 'rsa');
  app = await startWithTls(authority, { TLS_CERT_FILE: file('tls.crt'), TLS_KEY_FILE: file('tls.key') });
});
afterAll(async () => {
  await app.dispose();
  await rm(dir, { recursive: true });
});

const file = (name: string): string => join(dir, name);

function issue(commonName: string, kind: 'rsa' | 'ecdsa' = 'ecdsa'): Promise<KeyPair> {
  return authority.issue({ commonName, kind, usage: 'server' });
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
    expect(await acceptedSuites(app.port, 'TLS 1.2')).toEqual(AEAD['TLS 1.2']);
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

  it('cuts off whoever does not shake hands, and whoever does not finish the headers', async () => {
    const silent = connect(app.port, '127.0.0.1');
    const slow = await handshake(app.port, { ca: authority.ca });
    slow.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n');
    let said = '';
    slow.on('data', (text: Buffer) => (said += text.toString()));
    for (const socket of [silent, slow]) socket.on('error', () => undefined);
    await Promise.all([once(silent, 'close'), once(slow, 'close')]);
    expect(said).toMatch(/^HTTP\/1.1 408 /);
  });

  it('is found alive by the health check of the image, and what is not there is not', async () => {
    const TLS_CERT_FILE = file('tls.crt');
    expect(await healthOf({ TLS_CERT_FILE, PORT: String(app.port) })).toBe(0);
    expect(await healthOf({ PORT: String(app.port) })).toBe(1);
    expect(await healthOf({ TLS_CERT_FILE, PORT: String(await freePort()) })).toBe(1);
  });

  it('says https where it says where it is', () => {
    expect(app.logs()).toContain(`Listening on https://localhost:${app.port}`);
  });
});

describe('a server that demands certificates', () => {
  let demanding: Application;
  let client: KeyPair;

  beforeAll(async () => {
    client = await authority.issue({ commonName: 'gateway', usage: 'client' });
    await place(dir, { 'clients.crt': authority.ca });
    demanding = await startWithTls(
      authority,
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

  it('is found alive by the health check of the image, which has no certificate', async () => {
    const env = { TLS_CERT_FILE: file('tls.crt'), TLS_CLIENT_CA_FILE: file('clients.crt') };
    expect(await healthOf({ ...env, PORT: String(demanding.port) })).toBe(0);
    expect(await healthOf({ ...env, PORT: String(await freePort()) })).toBe(1);
  });

  it('speaks TLS 1.3 alone when told to', async () => {
    expect(await answerTo(demanding.port, 'TLS 1.2')).toMatchObject({ kind: 'alert', description: 70 });
  });
});

/** The exit code of the image's health check. */
async function healthOf(env: Record<string, string>): Promise<number> {
  const child = spawn(process.execPath, [HEALTH_CHECK], { env, stdio: 'ignore' });
  const [code] = (await once(child, 'exit')) as [number];
  return code;
}

function knows(group: string): boolean {
  try {
    createSecureContext({ ecdhCurve: group });
    return true;
  } catch {
    return false;
  }
}
