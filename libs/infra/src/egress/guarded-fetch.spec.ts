import type { RequestListener } from 'node:http';
import type { LookupFunction } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { AddressPolicy } from './address-policy.js';
import { EgressError } from './egress-error.js';
import { GuardedFetch, type GuardedFetchOptions } from './guarded-fetch.js';
import { serveLocally } from './testing/local-server.js';

const loopback = new AddressPolicy({ allowLoopback: true });
const strict = new AddressPolicy({ allowLoopback: false });

const opened: (() => unknown)[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((close) => close()));
});

async function serve(listener: RequestListener) {
  const server = await serveLocally(listener);
  opened.push(() => server.close());
  return server;
}

function guarded(options: Partial<GuardedFetchOptions> = {}) {
  const guard = new GuardedFetch({ policy: loopback, ...options });
  opened.push(() => guard.close());
  return guard.fetch;
}

/** A resolver that answers with the next list of addresses each time, and with the last one for ever. */
function resolving(...answers: readonly (readonly string[])[]): LookupFunction {
  let asked = 0;
  return (_hostname, _options, callback) => {
    const answer = answers[Math.min(asked, answers.length - 1)] ?? [];
    asked += 1;
    callback(
      null,
      answer.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
  };
}

const forbidden = { name: 'EgressError', code: 'ENDPOINT_FORBIDDEN' };

describe('a guarded fetch', () => {
  it('sends what it was given, and gives back what it got', async () => {
    const { port } = await serve((request, response) => {
      response.writeHead(201, { 'x-echo': request.headers['x-test'] ?? '' });
      request.pipe(response);
    });
    const response = await guarded()(`http://127.0.0.1:${port}/`, {
      method: 'POST',
      headers: { 'x-test': 'yes' },
      body: 'hello',
    });
    expect([response.status, response.headers.get('x-echo'), await response.text()]).toEqual([
      201,
      'yes',
      'hello',
    ]);
  });

  it.each([
    'http://127.0.0.1:PORT/',
    'http://localhost:PORT/',
    'http://127.1:PORT/',
    'http://0x7f000001:PORT/',
    'http://2130706433:PORT/',
    'http://0:PORT/',
    'http://[::ffff:127.0.0.1]:PORT/',
    'http://[::1]:PORT/',
  ])('refuses %s, and no request arrives', async (url) => {
    const { port, requests } = await serve((_request, response) => response.end());
    await expect(guarded({ policy: strict })(url.replace('PORT', String(port)))).rejects.toMatchObject(
      forbidden,
    );
    expect(requests).toEqual([]);
  });

  it.each([
    'ftp://example.com/',
    'file:///etc/passwd',
    'data:text/plain,hi',
    'http://user@example.com/',
    'http://:pass@example.com/',
    'not a url',
    'http://169.254.169.254/latest/meta-data/',
    'http://[fd00:ec2::254]/',
  ])('refuses %s', async (url) => {
    await expect(guarded()(url)).rejects.toMatchObject(forbidden);
  });

  it('refuses a public-looking name that resolves to a forbidden address', async () => {
    const { port, requests } = await serve((_request, response) => response.end());
    const fetch = guarded({ policy: strict, lookup: resolving(['127.0.0.1']) });
    await expect(fetch(`http://models.example.com:${port}/`)).rejects.toMatchObject(forbidden);
    expect(requests).toEqual([]);
  });

  it('refuses a name of which only one of many addresses is forbidden', async () => {
    const fetch = guarded({ policy: strict, lookup: resolving(['8.8.8.8', '::1']) });
    await expect(fetch('http://models.example.com/')).rejects.toMatchObject(forbidden);
  });

  it('refuses a name that resolves to nothing', async () => {
    await expect(guarded({ lookup: resolving([]) })('http://models.example.com/')).rejects.toMatchObject(
      forbidden,
    );
  });

  it('refuses a name that changes its address between two connections (DNS rebinding)', async () => {
    const { port, requests } = await serve((_request, response) => {
      response.setHeader('connection', 'close');
      response.end('ok');
    });
    const policy = { permits: (address: string) => address === '127.0.0.1' };
    const fetch = guarded({ policy, lookup: resolving(['127.0.0.1'], ['127.0.0.2']) });
    const url = `http://models.example.com:${port}/`;
    expect(await (await fetch(url)).text()).toBe('ok');
    await expect(fetch(url)).rejects.toMatchObject(forbidden);
    expect(requests).toHaveLength(1);
  });

  it('sends nothing on a connection that led elsewhere than was checked', async () => {
    const { port, requests } = await serve((_request, response) => response.end());
    let checks = 0;
    const policy = { permits: () => (checks += 1) === 1 };
    await expect(guarded({ policy })(`http://127.0.0.1:${port}/`)).rejects.toMatchObject(forbidden);
    expect([checks, requests]).toEqual([2, []]);
  });

  it.each([301, 302, 303, 307, 308])('does not follow a redirect (HTTP %i), and says so', async (status) => {
    const { port, requests } = await serve((_request, response) => {
      response.writeHead(status, { location: '/elsewhere' }).end('moved');
    });
    await expect(guarded()(`http://127.0.0.1:${port}/`, { redirect: 'follow' })).rejects.toMatchObject({
      ...forbidden,
      message: expect.stringContaining('redirect'),
    });
    expect(requests).toEqual(['/']);
  });

  it('never tells what a name resolved to', async () => {
    const fetch = guarded({ policy: strict, lookup: resolving(['10.1.2.3']) });
    const error: unknown = await fetch('http://db.internal/').catch((e: unknown) => e);
    expect(error).toBeInstanceOf(EgressError);
    expect(String(error)).not.toContain('10.1.2.3');
  });

  it('reads no more of a response than it may', async () => {
    const { port } = await serve((_request, response) => response.end('x'.repeat(2_000)));
    const url = `http://127.0.0.1:${port}/`;
    expect(await (await guarded({ maxResponseBytes: 2_000 })(url)).text()).toHaveLength(2_000);
    await expect(guarded({ maxResponseBytes: 1_999 })(url).then((r) => r.text())).rejects.toThrow(/./);
  });

  it('counts a response as decompressed, too', async () => {
    const { port } = await serve((_request, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('x'.repeat(1_000_000)));
    });
    const response = await guarded({ maxResponseBytes: 10_000 })(`http://127.0.0.1:${port}/`);
    await expect(response.text()).rejects.toMatchObject({ code: 'RESPONSE_TOO_LARGE' });
  });

  it('gives up on a server that sends no headers', async () => {
    const { port } = await serve(() => {});
    await expect(guarded({ headersTimeoutMs: 100 })(`http://127.0.0.1:${port}/`)).rejects.toMatchObject({
      cause: { code: 'UND_ERR_HEADERS_TIMEOUT' },
    });
  });

  it('gives up on a server that stops in the middle', async () => {
    const { port } = await serve((_request, response) => response.writeHead(200).write('half'));
    const response = await guarded({ bodyTimeoutMs: 100 })(`http://127.0.0.1:${port}/`);
    await expect(response.text()).rejects.toMatchObject({ cause: { code: 'UND_ERR_BODY_TIMEOUT' } });
  });

  it('ends the connection when its caller aborts', async () => {
    const closed = Promise.withResolvers<void>();
    const { port } = await serve((request) => request.socket.on('close', () => closed.resolve()));
    const abort = new AbortController();
    const response = guarded()(`http://127.0.0.1:${port}/`, { signal: abort.signal });
    setTimeout(() => abort.abort(), 50);
    await expect(response).rejects.toMatchObject({ name: 'AbortError' });
    await closed.promise;
  });
});
