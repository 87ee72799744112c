import { LLMock } from '@copilotkit/aimock';
import type { RunDto } from '../../src/runs/runs.dto.js';
import type { RequestListener } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { publishedAgent, runIn, startRun } from '../support/agents.js';
import { startApplication, type Application } from '../support/application.js';
import { startModelServer, type ModelServer } from '../support/model-servers.js';
import { createTenant, type TestTenant } from '../support/tenants.js';

let app: Application;
let acme: TestTenant;
const mock = new LLMock({ port: 0 });
const servers: ModelServer[] = [];

beforeAll(async () => {
  const usage = { prompt_tokens: 11, completion_tokens: 5, input_tokens: 11, output_tokens: 5 };
  mock.on({ userMessage: 'hello' }, { content: 'Good day to you.', usage }, { chunkSize: 4 });
  await mock.start();
  app = await startApplication();
  acme = await createTenant(app);
});
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});
afterAll(async () => {
  await app.dispose();
  await mock.stop();
});

const KEY = 'sk-canary-of-the-tenant';
const PROVIDERS = ['openai', 'anthropic'] as const;
type Provider = (typeof PROVIDERS)[number];

async function runAt(
  provider: Provider,
  baseUrl: string,
  { input = 'hello', timeoutSeconds = 30, instructions = 'Answer.' } = {},
): Promise<RunDto> {
  const agent = await publishedAgent(acme.api, {
    instructions,
    model: { provider, name: 'test-model', baseUrl },
    limits: { timeoutSeconds },
    apiKeys: { [provider]: KEY },
  });
  return runIn(acme.api, (await startRun(acme.api, agent.id, input)).id);
}

async function server(answer: RequestListener): Promise<ModelServer> {
  const started = await startModelServer(answer);
  servers.push(started);
  return started;
}

/** What a failed run must look like, whatever it failed of. */
async function expectNothingHalfDone(run: RunDto): Promise<void> {
  expect(run.output).toBeUndefined();
  expect(run.finishedAt).toBeDefined();
  expect(run.usage).toEqual({ inputTokens: 0, outputTokens: 0, modelCalls: 0 });
  const types: string[] = [];
  for await (const { type } of acme.api.events(`/v1/runs/${run.id}/events`)) types.push(type);
  expect(types.filter((type) => type === 'run.failed')).toHaveLength(1);
  expect(types.at(-1)).toBe('run.failed');
  expect(JSON.stringify(run)).not.toContain(KEY);
}

describe.each(PROVIDERS)('an endpoint that speaks as %s', (provider) => {
  const path = provider === 'openai' ? '/v1' : '';

  it('answers, and its tokens are counted', async () => {
    const run = await runAt(provider, `${mock.url}${path}`);
    expect(run).toMatchObject({
      status: 'COMPLETED',
      usage: { inputTokens: 11, outputTokens: 5, modelCalls: 1 },
    });
    expect(JSON.stringify(run.output)).toContain('Good day to you.');
  });

  it("gets the tenant's key and the instructions", async () => {
    const wire = await server((_request, response) => response.writeHead(401).end('{}'));
    await runAt(provider, wire.url, { instructions: 'Be brief.' });
    expect(wire.requests[0]?.authorization).toContain(KEY);
    expect(wire.requests[0]?.body).toContain('Be brief.');
  });

  it('hangs: the run ends at its time limit', async () => {
    const { url } = await server(() => undefined);
    const run = await runAt(provider, url, { timeoutSeconds: 1 });
    expect(run).toMatchObject({ status: 'FAILED', error: { code: 'RUN_TIMEOUT' } });
    await expectNothingHalfDone(run);
  });

  it('hangs in the middle of its answer: the run ends at its time limit', async () => {
    const { url } = await server((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(': thinking\n\n');
    });
    const run = await runAt(provider, url, { timeoutSeconds: 1 });
    expect(run).toMatchObject({ status: 'FAILED', error: { code: 'RUN_TIMEOUT' } });
    await expectNothingHalfDone(run);
  });

  it('answers 500: the run fails after a few tries', async () => {
    const broken = await server((_request, response) => {
      response.writeHead(500, { 'retry-after-ms': '1', 'content-type': 'application/json' }).end('{}');
    });
    const run = await runAt(provider, broken.url);
    expect(run).toMatchObject({ status: 'FAILED', error: { code: 'MODEL_UNAVAILABLE' } });
    expect(run.error?.message).toContain('500');
    expect(broken.requests).toHaveLength(3);
    await expectNothingHalfDone(run);
  });

  it('cuts its answer: the run fails, and what had come is no output', async () => {
    const { url } = await server((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: {"choices":[{"index":0,"delta":{"content":"half"}}]}\n\n', () =>
        response.destroy(),
      );
    });
    const run = await runAt(provider, url);
    expect(run).toMatchObject({ status: 'FAILED', error: { code: 'MODEL_STREAM_CUT' } });
    await expectNothingHalfDone(run);
  });

  it('redirects: it is not followed, wherever it leads', async () => {
    const secret = await server((_request, response) => response.end('{}'));
    for (const location of [secret.url, 'http://169.254.169.254/latest/meta-data/']) {
      const { url } = await server((_request, response) => {
        response.writeHead(307, { location }).end();
      });
      const run = await runAt(provider, url);
      expect([run.status, secret.requests.length]).toEqual(['FAILED', 0]);
      await expectNothingHalfDone(run);
    }
  });

  it('echoes the key and the question in its error: neither gets into the answer or the log', async () => {
    const { url } = await server((request, response) => {
      const key = request.headers['x-api-key'] ?? request.headers.authorization;
      const message = `Incorrect API key ${String(key).replace('Bearer ', '')} for: canary of the question`;
      const error = { type: 'error', error: { type: 'invalid_request_error', message } };
      response.writeHead(401, { 'content-type': 'application/json' }).end(JSON.stringify(error));
    });
    const run = await runAt(provider, url, { input: 'canary of the question' });
    expect(run).toMatchObject({ status: 'FAILED', error: { code: 'MODEL_REFUSED' } });
    expect(run.error?.message).not.toContain('canary');
    expect(app.logs()).not.toContain('canary');
  });

  it.each([
    'http://169.254.169.254/v1',
    'http://[fd00:ec2::254]/v1',
    'http://10.0.0.1/v1',
    'http://192.168.1.1/v1',
    'http://172.16.0.1/v1',
    'http://[::ffff:10.0.0.1]/v1',
    'http://0x0a000001/v1',
    'http://100.64.0.1/v1',
    'http://[fe80::1]/v1',
  ])('stands at a forbidden address: %s', async (baseUrl) => {
    const run = await runAt(provider, baseUrl, { timeoutSeconds: 10 });
    expect(run).toMatchObject({ status: 'FAILED', error: { code: 'ENDPOINT_FORBIDDEN' } });
    await expectNothingHalfDone(run);
  });
});

describe('an operator who does not allow loopback', () => {
  it('has tenants refused on this machine, under every name of it', async () => {
    const strict = await startApplication({ env: { MODEL_ALLOW_LOOPBACK: 'false' } });
    try {
      const secret = await server((_request, response) => response.end('{}'));
      const tenant = await createTenant(strict);
      const { port } = new URL(secret.url);
      for (const host of ['127.0.0.1', 'localhost', '[::1]', '0.0.0.0', '[::ffff:127.0.0.1]']) {
        const model = { provider: 'openai', name: 'm', baseUrl: `http://${host}:${port}/v1` };
        const agent = await publishedAgent(tenant.api, { model, apiKeys: { openai: KEY } });
        const run = await runIn(tenant.api, (await startRun(tenant.api, agent.id)).id);
        expect(run).toMatchObject({ status: 'FAILED', error: { code: 'ENDPOINT_FORBIDDEN' } });
      }
      expect(secret.requests).toEqual([]);
    } finally {
      await strict.dispose();
    }
  });
});
