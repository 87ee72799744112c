import type { LookupFunction } from 'node:net';
import { ModelCallError } from '@waxell/runtime';
import type { ModelCallOptions, ModelChunk, ModelProvider, ModelRequest } from '@waxell/runtime';
import { AddressPolicy, type EgressOptions } from '../egress/address-policy.js';
import { GuardedFetch } from '../egress/guarded-fetch.js';
import { AnthropicModelProvider } from './anthropic.js';
import { DemoModelProvider } from './demo.js';
import { OpenAiModelProvider } from './openai.js';
import { DEFAULT_IDLE_TIMEOUT_MS, type ModelEndpoint } from './provider-call.js';

/** What the operator configured for one provider. Its base URL is trusted and may be anywhere, also in-house. */
export interface OperatorEndpoint {
  readonly apiKey?: string | undefined;
  readonly baseUrl?: string | undefined;
}

export interface ModelProvidersOptions {
  readonly openai?: OperatorEndpoint;
  readonly anthropic?: OperatorEndpoint;
  /** Where a tenant's own base URL may lead. */
  readonly egress: EgressOptions;
  readonly idleTimeoutMs?: number;
  readonly maxRetries?: number;
  /** Another resolver than the system's, for a tenant's base URLs. */
  readonly lookup?: LookupFunction;
}

const REMOTE = { openai: OpenAiModelProvider, anthropic: AnthropicModelProvider };

/**
 * All models, by the provider that a definition names. Two kinds of endpoint that never mix: the operator's, with the
 * operator's key unless the tenant brought one; and one that a tenant wrote into a definition, which is reached
 * through the guarded fetch and of which the operator's key is not even known here.
 */
export class ModelProviders implements ModelProvider {
  private readonly demo = new DemoModelProvider();
  private readonly toOperator: GuardedFetch;
  private readonly toTenant: GuardedFetch;

  constructor(private readonly options: ModelProvidersOptions) {
    // Later than the call's own idle time-out, which knows better what to say.
    const late = 2 * (options.idleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT_MS);
    const timeouts = { headersTimeoutMs: late, bodyTimeoutMs: late };
    this.toOperator = new GuardedFetch({ policy: { permits: () => true }, ...timeouts });
    this.toTenant = new GuardedFetch({
      policy: new AddressPolicy(options.egress),
      ...timeouts,
      ...(options.lookup && { lookup: options.lookup }),
    });
  }

  stream(request: ModelRequest, options: ModelCallOptions): AsyncIterable<ModelChunk> {
    const { provider } = request.model;
    if (provider === 'demo') return this.demo.stream(request, options);
    const endpoint = this.endpointFor(request);
    if (endpoint.baseUrl === undefined && (options.apiKey ?? endpoint.apiKey) === undefined) {
      throw new ModelCallError('MODEL_REFUSED', `There is no API key for ${provider}. Add one to the agent.`);
    }
    return new REMOTE[provider](endpoint).stream(request, options);
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    await Promise.all([this.toOperator.close(), this.toTenant.close()]);
  }

  private endpointFor({ model }: ModelRequest): ModelEndpoint {
    const { idleTimeoutMs, maxRetries } = this.options;
    if (model.baseUrl !== undefined) {
      return { baseUrl: model.baseUrl, fetch: this.toTenant.fetch, idleTimeoutMs, maxRetries };
    }
    const operator = model.provider === 'demo' ? undefined : this.options[model.provider];
    return { ...operator, fetch: this.toOperator.fetch, idleTimeoutMs, maxRetries };
  }
}
