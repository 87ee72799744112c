import { ModelCallError } from '@waxell/runtime';
import type { ModelCallOptions, ModelChunk, ModelProvider, ModelRequest } from '@waxell/runtime';
import type { OpenAI } from 'openai';
import {
  DEFAULT_IDLE_TIMEOUT_MS,
  DEFAULT_MAX_RETRIES,
  type ModelEndpoint,
  PLACEHOLDER_KEY,
  ProviderCall,
} from './provider-call.js';

export const OPENAI_BASE_URL = 'https://api.openai.com/v1';

/** Models behind OpenAI's chat completions protocol, at OpenAI or at any server that speaks it. */
export class OpenAiModelProvider implements ModelProvider {
  constructor(private readonly endpoint: ModelEndpoint) {}

  async *stream(request: ModelRequest, options: ModelCallOptions): AsyncGenerator<ModelChunk> {
    const call = new ProviderCall(this.endpoint, options.apiKey ?? this.endpoint.apiKey, options.signal);
    try {
      const client = await this.client(call);
      const chunks = await client.chat.completions.create(
        {
          model: request.model.name,
          messages: request.messages.map(({ role, content }) => ({ role, content })),
          stream: true,
          stream_options: { include_usage: true },
          // Zero retention: the provider is not to keep prompts or answers.
          store: false,
          ...this.tokenLimit(request.model.maxOutputTokens),
          ...(request.model.temperature !== undefined && { temperature: request.model.temperature }),
        },
        { signal: call.signal },
      );
      let finish: string | undefined;
      // Servers that know no `include_usage` never tell; then nothing is counted.
      let usage = { inputTokens: 0, outputTokens: 0 };
      for await (const chunk of chunks) {
        const choice = chunk.choices?.[0];
        const text = choice?.delta?.content ?? choice?.delta?.refusal;
        if (text) yield { type: 'delta', text };
        finish = choice?.finish_reason ?? finish;
        if (chunk.usage) {
          usage = { inputTokens: chunk.usage.prompt_tokens, outputTokens: chunk.usage.completion_tokens };
        }
      }
      // The client ends its stream quietly when it was aborted, and when the connection closed too early.
      call.signal.throwIfAborted();
      if (finish === undefined)
        throw new ModelCallError('MODEL_STREAM_CUT', 'The model stopped before its answer ended.');
      if (finish === 'content_filter') {
        throw new ModelCallError('MODEL_REFUSED', 'The model provider’s content filter stopped the answer.');
      }
      yield { type: 'end', usage };
    } catch (error) {
      throw call.failure(error);
    } finally {
      call.close();
    }
  }

  /** OpenAI's newer models refuse `max_tokens`, and many other servers ignore its successor. */
  private tokenLimit(tokens: number) {
    const atOpenAi =
      new URL(this.endpoint.baseUrl ?? OPENAI_BASE_URL).hostname === new URL(OPENAI_BASE_URL).hostname;
    return atOpenAi ? { max_completion_tokens: tokens } : { max_tokens: tokens };
  }

  /**
   * Every option that has an environment variable for its default is given, so that none of those is read. Loaded when it
   * is needed: a twentieth of all modules are the client's.
   */
  private async client(call: ProviderCall): Promise<OpenAI> {
    const { OpenAI } = await import('openai');
    return new OpenAI({
      apiKey: PLACEHOLDER_KEY,
      adminAPIKey: null,
      organization: null,
      project: null,
      webhookSecret: null,
      baseURL: this.endpoint.baseUrl ?? OPENAI_BASE_URL,
      logLevel: 'off',
      maxRetries: this.endpoint.maxRetries ?? DEFAULT_MAX_RETRIES,
      // The call's own idle time-out comes first; this is the client's, which would try again.
      timeout: 2 * (this.endpoint.idleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT_MS),
      fetch: call.fetch,
    });
  }
}
