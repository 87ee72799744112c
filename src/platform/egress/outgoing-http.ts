/** A request to an address that a tenant chose. */
export interface OutgoingRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** Shorter than the usual time to wait, where somebody waits. */
  readonly withinMs?: number;
}

export interface OutgoingAnswer {
  readonly status: number;
  /** The value of `Retry-After`, if there is one. */
  readonly retryAfter: string | undefined;
  /** The first 64 KiB, as text. */
  readonly text: string;
}

/**
 * Sends to where tenants say, and reaches no address of the operator's network. Rejects where there is no answer: within
 * fifteen seconds, or at all. The message of an error named `EgressError` may be shown to the tenant, others may not.
 */
export abstract class OutgoingHttp {
  abstract post(request: OutgoingRequest): Promise<OutgoingAnswer>;
}
