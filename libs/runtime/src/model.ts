import type { ModelReference, Usage } from '@waxell/sdk';

export interface ModelMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

export interface ModelRequest {
  readonly model: ModelReference;
  readonly messages: readonly ModelMessage[];
}

/** A streamed answer: any number of text deltas, then exactly one `end`. A stream without `end` was cut. */
export type ModelChunk =
  | { readonly type: 'delta'; readonly text: string }
  | { readonly type: 'end'; readonly usage: Pick<Usage, 'inputTokens' | 'outputTokens'> };

/** What a model call may use beyond its request; none of it ever enters a sandbox. */
export interface ModelCallOptions {
  readonly signal: AbortSignal;
  /** The tenant's own key for the provider; without it, the operator's. */
  readonly apiKey?: string;
}

/**
 * A way to reach models. Fails with a `ModelCallError`, never with an error of the provider's own client: those may
 * carry request headers.
 */
export abstract class ModelProvider {
  abstract stream(request: ModelRequest, options: ModelCallOptions): AsyncIterable<ModelChunk>;
}
