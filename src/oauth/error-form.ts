import type { ErrorForm } from '../platform/http/error-form.js';
import type { ErrorKind } from '../platform/http/errors.js';
import { OAuthError } from './oauth.errors.js';
import { OAuthErrorDto } from './oauth.dto.js';

/** Errors that any route can have, as the nearest that OAuth has a name for. */
const NAMES: Readonly<Partial<Record<ErrorKind, string>>> = {
  unauthenticated: 'invalid_client',
  forbidden: 'unauthorized_client',
  rate_limited: 'temporarily_unavailable',
  unavailable: 'temporarily_unavailable',
  internal: 'server_error',
};

/** RFC 6749 section 5.2. */
export const OAUTH_ERRORS: ErrorForm = {
  mediaType: 'application/json',
  type: OAuthErrorDto,
  body: (error) => ({
    error: error instanceof OAuthError ? error.error : (NAMES[error.kind] ?? 'invalid_request'),
    error_description: printable(error.message),
  }),
  headers: ({ kind }): Readonly<Record<string, string>> =>
    kind === 'unauthenticated' ? { 'WWW-Authenticate': 'Basic realm="waxell"' } : {},
};

/** The characters that a description may have. */
function printable(text: string): string {
  return text.replaceAll('"', "'").replaceAll(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, '?');
}
