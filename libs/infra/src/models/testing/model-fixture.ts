import type { ServerResponse } from 'node:http';
import type { ModelCallOptions, ModelChunk, ModelProvider, ModelRequest } from '@waxell/runtime';
import { modelReference, type ModelReference } from '@waxell/sdk';

export function modelRequest(model: Partial<ModelReference>, question = 'hello'): ModelRequest {
  return {
    model: modelReference.parse({ provider: 'openai', name: 'test-model', ...model }),
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: question },
    ],
  };
}

/** Everything that a model says, and what it was stopped by, if it was. */
export async function listen(
  provider: ModelProvider,
  request: ModelRequest,
  options: Partial<ModelCallOptions> = {},
): Promise<{ text: string; end: ModelChunk | undefined; error: unknown }> {
  const said = { text: '', end: undefined as ModelChunk | undefined, error: undefined as unknown };
  try {
    for await (const chunk of provider.stream(request, {
      signal: new AbortController().signal,
      ...options,
    })) {
      if (chunk.type === 'delta') said.text += chunk.text;
      else said.end = chunk;
    }
  } catch (error) {
    said.error = error;
  }
  return said;
}

const event = (name: string, data: object) =>
  `event: ${name}\ndata: ${JSON.stringify({ type: name, ...data })}\n\n`;

/** The two wire formats, each in three parts: an answer's text, what ends it properly, and what an error looks like. */
export const WIRE = {
  openai: {
    text: (text: string) =>
      `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: text } }] })}\n\n`,
    end: `data: ${JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })}\n\ndata: ${JSON.stringify(
      { choices: [], usage: { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 } },
    )}\n\ndata: [DONE]\n\n`,
    error: (message: string) => ({ error: { message, type: 'invalid_request_error', code: 'some_reason' } }),
  },
  anthropic: {
    text: (text: string) =>
      event('message_start', { message: { usage: { input_tokens: 7, output_tokens: 0 } } }) +
      event('content_block_delta', { index: 0, delta: { type: 'text_delta', text } }),
    end:
      event('message_delta', { delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 2 } }) +
      event('message_stop', {}),
    error: (message: string) => ({ type: 'error', error: { type: 'some_reason', message } }),
  },
} as const;

export function beginStream(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
}
