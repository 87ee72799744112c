import { Injectable } from '@nestjs/common';
import { ProviderHttp } from '../platform/egress/index.js';
import { ProviderUnreachable } from './federation.errors.js';

/** What providers publish of themselves. */
@Injectable()
export class ProviderDocuments {
  constructor(private readonly http: ProviderHttp) {}

  /** The text at an address. @throws {ProviderUnreachable} with what an administrator may know of why */
  async text(url: string, accept: string): Promise<string> {
    try {
      const response = await this.http.fetch(url, { headers: { accept } });
      if (!response.ok) throw new ProviderUnreachable(`${hostOf(url)} answered HTTP ${response.status}.`);
      return await response.text();
    } catch (error) {
      throw unreachable(url, error);
    }
  }
}

/** Errors of the egress may be shown; of others it is said that there was no answer. */
export function unreachable(url: string, error: unknown): ProviderUnreachable {
  if (error instanceof ProviderUnreachable) return error;
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth += 1)
    if (cause.name === 'EgressError') return new ProviderUnreachable(cause.message, { cause: error });
  return new ProviderUnreachable(`${hostOf(url)} did not answer as it should. Check the address.`, {
    cause: error,
  });
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'The provider';
}
