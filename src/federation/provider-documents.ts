import { Injectable } from '@nestjs/common';
import { ProviderHttp } from '../platform/egress/index.js';
import { ProviderUnreachable } from './federation.errors.js';
import type { KeySet } from './published-keys.js';

const MOST_KEYS = 100;
const LONGEST_KEY_SET = 131_072;

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

  /** A document that says what a provider is: one object of JSON. @throws {ProviderUnreachable} */
  async metadata(url: string): Promise<Readonly<Record<string, unknown>>> {
    const value = parsed(await this.text(url, 'application/json'));
    if (value) return value;
    throw new ProviderUnreachable(`${hostOf(url)} publishes no JSON at ${new URL(url).pathname}.`);
  }

  /** @throws {ProviderUnreachable} */
  async keySet(url: string): Promise<KeySet> {
    const text = await this.text(url, 'application/jwk-set+json, application/json');
    const keys = text.length > LONGEST_KEY_SET ? undefined : parsed(text)?.['keys'];
    if (!Array.isArray(keys) || keys.length > MOST_KEYS || !keys.every(isObject))
      throw new ProviderUnreachable(`${hostOf(url)} publishes no set of keys, or too large a one.`);
    return { set: { keys }, size: text.length };
  }
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
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
