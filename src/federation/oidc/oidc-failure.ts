import * as client from 'openid-client';
import { SsoFailed } from '../federation.errors.js';
import { unreachable } from '../provider-documents.js';

/** As the standards form their codes. What else a provider sends may be anything: secrets, markup. */
const CODE = /^[a-z][a-z_]{2,39}$/;
/** RFC 6749 section 5.2: the client could not be authenticated, or may not do this. */
const OF_CLIENT: ReadonlySet<string> = new Set(['invalid_client', 'unauthorized_client']);

/** What a failed exchange with the provider means. Of the provider's words only a code is kept. */
export function oidcFailure(issuer: string, cause: unknown): SsoFailed {
  // RFC 6749 section 5.2 lets a provider refuse a client by 401 alone.
  if (cause instanceof client.WWWAuthenticateChallengeError && cause.status === 401)
    return new SsoFailed('OIDC_CLIENT_REFUSED', { cause });
  if (cause instanceof client.AuthorizationResponseError)
    return new SsoFailed('SSO_PROVIDER_ERROR', { cause, detail: saidBy(cause.error) });
  if (cause instanceof client.ResponseBodyError)
    return new SsoFailed(OF_CLIENT.has(cause.error) ? 'OIDC_CLIENT_REFUSED' : 'OIDC_RESPONSE_INVALID', {
      cause,
      detail: saidBy(cause.error),
    });
  if (cause instanceof client.ClientError) return new SsoFailed('OIDC_RESPONSE_INVALID', { cause });
  return new SsoFailed('SSO_PROVIDER_UNREACHABLE', { cause, detail: unreachable(issuer, cause).message });
}

function saidBy(code: string): string | undefined {
  return CODE.test(code) ? `It says: ${code}.` : undefined;
}
