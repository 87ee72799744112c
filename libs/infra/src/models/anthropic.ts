import type { Anthropic } from '@anthropic-ai/sdk';
import { ModelCallError } from '@waxell/runtime';
import type { ModelCallOptions, ModelChunk, ModelProvider, ModelRequest } from '@waxell/runtime';
import {
  DEFAULT_IDLE_TIMEOUT_MS,
  DEFAULT_MAX_RETRIES,
  type ModelEndpoint,
  PLACEHOLDER_KEY,
  ProviderCall,
} from './provider-call.js';

export const ANTHROPIC_BASE_URL = 'https://api.anthropic.com';

/**
 * Models behind Anthropic's messages protocol. It has no zero-retention flag per request: that is a setting of the
 * Anthropic organisation which the key belongs to.
 */
export class AnthropicModelProvider implements ModelProvider {
  constructor(private readonly endpoint: ModelEndpoint) {}

  async *stream(request: ModelRequest, options: ModelCallOptions): AsyncGenerator<ModelChunk> {
    const call = new ProviderCall(this.endpoint, options.apiKey ?? this.endpoint.apiKey, options.signal);
    try {
      const client = await this.client(call);
      const events = await client.messages.create(messageParams(request), { signal: call.signal });
      const usage = { inputTokens: 0, outputTokens: 0 };
      let ended = false;
      let stopReason: string | null = null;
      for await (const event of events) {
        if (event.type === 'message_start') {
          const { input_tokens, cache_creation_input_tokens, cache_read_input_tokens } = event.message.usage;
          usage.inputTokens =
            input_tokens + (cache_creation_input_tokens ?? 0) + (cache_read_input_tokens ?? 0);
        } else if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') {
          if (event.delta.text !== '') yield { type: 'delta', text: event.delta.text };
        } else if (event.type === 'message_delta') {
          usage.outputTokens = event.usage.output_tokens;
          stopReason = event.delta.stop_reason ?? stopReason;
        } else if (event.type === 'message_stop') ended = true;
      }
      // The client ends its stream quietly when it was aborted, and when the connection closed too early.
      call.signal.throwIfAborted();
      if (!ended) throw new ModelCallError('MODEL_STREAM_CUT', 'The model stopped before its answer ended.');
      if (stopReason === 'refusal') throw new ModelCallError('MODEL_REFUSED', 'The model refused to answer.');
      yield { type: 'end', usage };
    } catch (error) {
      throw call.failure(error);
    } finally {
      call.close();
    }
  }

  /**
   * Every option that has an environment variable for its default is given, so that none of those is read. Loaded when it
   * is needed: a twentieth of all modules are the client's.
   */
  private async client(call: ProviderCall): Promise<Anthropic> {
    const { Anthropic } = await import('@anthropic-ai/sdk');
    return new Anthropic({
      apiKey: PLACEHOLDER_KEY,
      webhookKey: null,
      baseURL: this.endpoint.baseUrl ?? ANTHROPIC_BASE_URL,
      logLevel: 'off',
      openTelemetry: false,
      maxRetries: this.endpoint.maxRetries ?? DEFAULT_MAX_RETRIES,
      // The call's own idle time-out comes first; this is the client's, which would try again.
      timeout: 2 * (this.endpoint.idleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT_MS),
      fetch: call.fetch,
    });
  }
}

/** The protocol keeps system text apart from the conversation. */
function messageParams({ model, messages }: ModelRequest) {
  const system = messages.filter(({ role }) => role === 'system').map(({ content }) => content);
  return {
    model: model.name,
    max_tokens: model.maxOutputTokens,
    messages: messages.flatMap(({ role, content }) => (role === 'system' ? [] : [{ role, content }])),
    stream: true as const,
    ...(system.length > 0 && { system: system.join('\n\n') }),
    ...(model.temperature !== undefined && { temperature: model.temperature }),
  };
}
