import { ProviderUnreachable, REFUSALS, SsoFailed } from './federation.errors.js';
import { SAML_REFUSALS } from './saml/saml-refusals.js';

const WORDS: Readonly<Record<string, string>> = { ...REFUSALS, ...SAML_REFUSALS };

/** What a sign-in has met, for who administers the connection. */
export interface FailureInWords {
  readonly code: string;
  readonly why: string;
}

/** What a reason means, for who administers the connection. */
export function refusalInWords(code: string): string {
  return WORDS[code] ?? code;
}

/** Undefined of what is not the connection's fault, or the provider's. */
export function failureInWords(error: unknown): FailureInWords | undefined {
  if (error instanceof ProviderUnreachable)
    return {
      code: 'SSO_PROVIDER_UNREACHABLE',
      why: `${REFUSALS.SSO_PROVIDER_UNREACHABLE} ${error.message}`,
    };
  if (!(error instanceof SsoFailed)) return undefined;
  const { auditCode: code, detail } = error;
  return { code, why: `${refusalInWords(code)}${detail === undefined ? '' : ` ${detail}`}` };
}
