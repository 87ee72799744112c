/** What is asked of an identity provider; redirects are never followed. */
export interface ProviderRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal?: AbortSignal;
}

/**
 * Asks the identity providers that tenants named, and reaches no address of the operator's network. Rejects where there is
 * no answer within ten seconds, or more than a MiB of it. The message of an error named `EgressError` may be shown to the
 * tenant, others may not.
 */
export abstract class ProviderHttp {
  abstract fetch(url: string, request?: ProviderRequest): Promise<Response>;
}
