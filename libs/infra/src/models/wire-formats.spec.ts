import { LLMock } from '@copilotkit/aimock';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ModelProviders } from './model-providers.js';
import { listen, modelRequest } from './testing/model-fixture.js';

// Against an independent implementation of both wire formats, so that our own reading of them is not the only one.
const mock = new LLMock({ port: 0 });
const providers = new ModelProviders({ egress: { allowLoopback: true } });

beforeAll(async () => {
  mock.on(
    { userMessage: 'hello' },
    {
      content: 'Good day to you.',
      usage: { prompt_tokens: 11, completion_tokens: 5, input_tokens: 11, output_tokens: 5 },
    },
    { chunkSize: 4 },
  );
  mock.on(
    { userMessage: 'cut' },
    { content: 'This answer never ends.' },
    { chunkSize: 4, latency: 20, truncateAfterChunks: 3 },
  );
  await mock.start();
});

afterAll(async () => {
  await providers.close();
  await mock.stop();
});

describe.each([
  ['openai', '/v1'],
  ['anthropic', ''],
] as const)('%s', (provider, path) => {
  const model = { provider, temperature: 0.5, maxOutputTokens: 99 };
  const ask = (question: string) =>
    listen(providers, modelRequest({ ...model, baseUrl: `${mock.url}${path}` }, question), {
      apiKey: 'sk-test',
    });

  it('streams an answer with its usage', async () => {
    expect(await ask('hello')).toEqual({
      text: 'Good day to you.',
      end: { type: 'end', usage: { inputTokens: 11, outputTokens: 5 } },
      error: undefined,
    });
  });

  it('asks with the model, the limits and the messages of the request', async () => {
    await ask('hello');
    expect(mock.getLastRequest()?.body).toMatchObject({
      model: 'test-model',
      stream: true,
      max_tokens: 99,
      temperature: 0.5,
      messages: expect.arrayContaining([expect.objectContaining({ role: 'user', content: 'hello' })]),
    });
    expect(JSON.stringify(mock.getLastRequest()?.body)).toContain('Be brief.');
  });

  it('notices an answer that is cut', async () => {
    expect((await ask('cut')).error).toMatchObject({ code: 'MODEL_STREAM_CUT' });
  });

  it('is refused when it knows no answer', async () => {
    expect((await ask('unheard of')).error).toMatchObject({ code: 'MODEL_REFUSED' });
  });
});

it('asks OpenAI to keep nothing, and for the usage', async () => {
  await listen(providers, modelRequest({ provider: 'openai', baseUrl: `${mock.url}/v1` }));
  expect(mock.getLastRequest()?.body).toMatchObject({
    store: false,
    stream_options: { include_usage: true },
  });
});
