import type { RequestListener } from 'node:http';
import { inspect } from 'node:util';
import { ModelCallError } from '@waxell/runtime';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { serveLocally } from '../egress/testing/local-server.js';
import { ModelProviders, type ModelProvidersOptions } from './model-providers.js';
import { beginStream, listen, modelRequest, WIRE } from './testing/model-fixture.js';

const opened: (() => unknown)[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  await Promise.all(opened.splice(0).map((close) => close()));
});

async function serve(listener: RequestListener) {
  const server = await serveLocally(listener);
  opened.push(() => server.close());
  return server;
}

function providers(options: Partial<ModelProvidersOptions> = {}): ModelProviders {
  const created = new ModelProviders({ egress: { allowLoopback: true }, ...options });
  opened.push(() => created.close());
  return created;
}

/** Retries at once. */
const AT_ONCE = { 'retry-after-ms': '1', 'content-type': 'application/json' };

describe.each(['openai', 'anthropic'] as const)('a model of %s', (provider) => {
  const wire = WIRE[provider];
  const ask = (baseUrl: string, options: Partial<ModelProvidersOptions> = {}) =>
    listen(providers(options), modelRequest({ provider, baseUrl }), { apiKey: 'sk-tenant' });

  it('answers in deltas, and tells its usage', async () => {
    const { url } = await serve((_request, response) => {
      beginStream(response);
      response.end(wire.text('Good day') + wire.end);
    });
    expect(await ask(url)).toEqual({
      text: 'Good day',
      end: { type: 'end', usage: { inputTokens: 7, outputTokens: 2 } },
      error: undefined,
    });
  });

  it.each([
    ['ends', (response: { end: () => void }) => response.end()],
    ['breaks', (response: { destroy: () => void }) => response.destroy()],
  ])('whose stream %s too early was cut, whatever it said until then', async (_how, stop) => {
    const { url } = await serve((_request, response) => {
      beginStream(response);
      response.write(wire.text('half an ans'), () => setTimeout(() => stop(response), 20));
    });
    const { text, end, error } = await ask(url);
    expect([text, end]).toEqual(['half an ans', undefined]);
    expect(error).toMatchObject({ name: 'ModelCallError', code: 'MODEL_STREAM_CUT' });
  });

  it('that sends nonsense was cut', async () => {
    const { url } = await serve((_request, response) => {
      beginStream(response);
      response.end('event: message_start\ndata: {nonsense\n\n');
    });
    expect((await ask(url)).error).toMatchObject({ code: 'MODEL_STREAM_CUT' });
  });

  it.each([500, 503, 429])(
    'that answers HTTP %i is tried again, a bounded number of times',
    async (status) => {
      const { url, requests } = await serve((_request, response) => {
        response.writeHead(status, AT_ONCE).end(JSON.stringify(wire.error('busy')));
      });
      expect((await ask(url, { maxRetries: 2 })).error).toMatchObject({ code: 'MODEL_UNAVAILABLE' });
      expect(requests).toHaveLength(3);
    },
  );

  it('that is broken once answers at the second try', async () => {
    let tries = 0;
    const { url } = await serve((_request, response) => {
      tries += 1;
      if (tries === 1) response.writeHead(500, AT_ONCE).end('{}');
      else {
        beginStream(response);
        response.end(wire.text('ok') + wire.end);
      }
    });
    expect(await ask(url)).toMatchObject({ text: 'ok', error: undefined });
  });

  it.each([400, 401, 403, 404, 422])('that answers HTTP %i is not asked again', async (status) => {
    const { url, requests } = await serve((request, response) => {
      const leak = `wrong key ${request.headers.authorization}`;
      response.writeHead(status, AT_ONCE).end(JSON.stringify(wire.error(leak)));
    });
    const { error } = await ask(url);
    expect(error).toMatchObject({
      code: 'MODEL_REFUSED',
      message: expect.stringContaining(`HTTP ${status} (some_reason)`),
    });
    expect(String(error)).not.toContain('sk-tenant');
    expect(requests).toHaveLength(1);
  });

  it('that sends nothing is given up after the idle time-out, without another try', async () => {
    const { url, requests } = await serve(() => {});
    const started = performance.now();
    expect((await ask(url, { idleTimeoutMs: 150 })).error).toMatchObject({ code: 'MODEL_TIMEOUT' });
    expect(performance.now() - started).toBeLessThan(1_000);
    expect(requests).toHaveLength(1);
  });

  it('that falls silent in its answer is given up after the idle time-out', async () => {
    const { url } = await serve((_request, response) => {
      beginStream(response);
      response.write(wire.text('well'));
    });
    expect(await ask(url, { idleTimeoutMs: 150 })).toMatchObject({
      text: 'well',
      error: { code: 'MODEL_TIMEOUT' },
    });
  });

  it('that is slow but not silent is waited for', async () => {
    const { url } = await serve((_request, response) => {
      beginStream(response);
      let ticks = 0;
      const timer = setInterval(() => {
        ticks += 1;
        if (ticks < 8) response.write(': keep-alive\n\n');
        else {
          clearInterval(timer);
          response.end(wire.text('at last') + wire.end);
        }
      }, 50);
    });
    expect(await ask(url, { idleTimeoutMs: 200 })).toMatchObject({ text: 'at last', error: undefined });
  });

  it('is not blamed for a slow reader', async () => {
    const { url } = await serve((_request, response) => {
      beginStream(response);
      response.write(wire.text('one'));
      setTimeout(() => response.end(wire.end), 20);
    });
    let ended = false;
    const chunks = providers({ idleTimeoutMs: 100 }).stream(modelRequest({ provider, baseUrl: url }), {
      signal: new AbortController().signal,
    });
    for await (const { type } of chunks) {
      await new Promise((resolve) => setTimeout(resolve, 250));
      ended ||= type === 'end';
    }
    expect(ended).toBe(true);
  });

  it('is left at once when the call is aborted', async () => {
    const closed = Promise.withResolvers<void>();
    const { url } = await serve((request, response) => {
      request.socket.on('close', () => closed.resolve());
      beginStream(response);
      response.write(wire.text('well'));
    });
    const abort = new AbortController();
    setTimeout(() => abort.abort('cancelled'), 100);
    const { error } = await listen(providers(), modelRequest({ provider, baseUrl: url }), {
      signal: abort.signal,
    });
    expect(error).toBe('cancelled');
    await closed.promise;
  });

  it('that redirects is refused, and the key does not follow', async () => {
    const elsewhere = await serve((_request, response) => response.end());
    const { url, requests } = await serve((_request, response) => {
      response.writeHead(307, { location: elsewhere.url }).end();
    });
    expect((await ask(url)).error).toMatchObject({
      code: 'ENDPOINT_FORBIDDEN',
      message: expect.stringContaining('redirect'),
    });
    expect([requests.length, elsewhere.requests]).toEqual([1, []]);
  });

  it('cannot be at an address inside', async () => {
    const { url, port, requests } = await serve((_request, response) => response.end());
    const strict = { egress: { allowLoopback: false } };
    const started = performance.now();
    for (const baseUrl of [
      url,
      `http://localhost:${port}`,
      'http://169.254.169.254',
      'http://[::ffff:10.0.0.1]/v1',
    ]) {
      expect((await ask(baseUrl, strict)).error).toMatchObject({
        name: 'ModelCallError',
        code: 'ENDPOINT_FORBIDDEN',
      });
    }
    // Nothing was tried a second time.
    expect(performance.now() - started).toBeLessThan(1_000);
    expect(requests).toEqual([]);
  });

  it('cannot be behind a name that resolves to an address inside', async () => {
    const { port, requests } = await serve((_request, response) => response.end());
    const { error } = await ask(`http://models.example.com:${port}/v1`, {
      egress: { allowLoopback: false },
      lookup: (_name, _options, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }]),
    });
    expect(error).toMatchObject({ code: 'ENDPOINT_FORBIDDEN' });
    expect(requests).toEqual([]);
  });

  it('that nobody answers for is unavailable', async () => {
    const server = await serveLocally(() => {});
    server.close();
    const { error } = await ask(server.url, { maxRetries: 0 });
    expect(error).toBeInstanceOf(ModelCallError);
    expect(error).toMatchObject({ code: 'MODEL_UNAVAILABLE' });
  });

  describe('and keys:', () => {
    async function sentTo(
      options: (url: string) => Partial<ModelProvidersOptions>,
      viaTenant: boolean,
      apiKey?: string,
    ) {
      const seen: Record<string, unknown>[] = [];
      const { url } = await serve((request, response) => {
        seen.push(request.headers);
        beginStream(response);
        response.end(wire.text('ok') + wire.end);
      });
      const request = modelRequest({ provider, ...(viaTenant && { baseUrl: url }) });
      const { error } = await listen(
        providers(options(url)),
        request,
        apiKey === undefined ? {} : { apiKey },
      );
      expect(error).toBeUndefined();
      return JSON.stringify(seen);
    }

    it('the operator’s goes to the operator’s endpoint', async () => {
      const sent = await sentTo((baseUrl) => ({ [provider]: { baseUrl, apiKey: 'sk-operator' } }), false);
      expect(sent).toContain('Bearer sk-operator');
    });

    it('a tenant’s takes its place there', async () => {
      const sent = await sentTo(
        (baseUrl) => ({ [provider]: { baseUrl, apiKey: 'sk-operator' } }),
        false,
        'sk-tenant',
      );
      expect(sent).toContain('Bearer sk-tenant');
      expect(sent).not.toContain('sk-operator');
    });

    it('the operator’s never goes to an endpoint that a tenant chose, nor does a secret of the environment', async () => {
      for (const prefix of ['OPENAI', 'ANTHROPIC']) {
        for (const name of ['API_KEY', 'ADMIN_KEY', 'AUTH_TOKEN', 'ORG_ID', 'PROJECT_ID', 'PROFILE']) {
          vi.stubEnv(`${prefix}_${name}`, 'env-secret');
        }
        vi.stubEnv(
          `${prefix}_CUSTOM_HEADERS`,
          'x-gateway-token: env-secret\nauthorization: Bearer env-secret',
        );
      }
      const operator = () => ({ [provider]: { apiKey: 'sk-operator' } });
      const without = await sentTo(operator, true);
      expect(without).not.toMatch(/sk-operator|env-secret|authorization|x-api-key|set-by-provider-call/);
      const own = await sentTo(operator, true, 'sk-tenant');
      expect(own).toContain('Bearer sk-tenant');
      expect(own).not.toMatch(/sk-operator|env-secret/);
    });

    it.each(['', 'sk-a\nb', 'sk-ä', 'sk a'])(
      '%j is none, and is not repeated in any error',
      async (apiKey) => {
        const { error } = await listen(
          providers(),
          modelRequest({ provider, baseUrl: 'http://127.0.0.1:1' }),
          { apiKey },
        );
        expect(error).toMatchObject({ name: 'ModelCallError', code: 'MODEL_REFUSED' });
        expect(inspect(error)).not.toContain('sk-');
      },
    );

    it('without any, the public endpoint is not even asked', async () => {
      const { error } = await listen(providers(), modelRequest({ provider }));
      expect(error).toMatchObject({ code: 'MODEL_REFUSED', message: expect.stringContaining('API key') });
    });
  });
});
