import type { KmsErrorCode } from './kms-error.js';

/** Names of AWS errors, per what they mean to us. */
const CODES: Readonly<Record<string, KmsErrorCode>> = {
  AccessDenied: 'access_denied',
  AccessDeniedException: 'access_denied',
  DisabledException: 'key_disabled',
  ExpiredTokenException: 'access_denied',
  IncompleteSignature: 'access_denied',
  IncorrectKeyException: 'invalid_ciphertext',
  InvalidArnException: 'key_unfit',
  InvalidCiphertextException: 'invalid_ciphertext',
  InvalidClientTokenId: 'access_denied',
  InvalidGrantTokenException: 'access_denied',
  InvalidKeyUsageException: 'key_unfit',
  InvalidSignatureException: 'access_denied',
  MissingAuthenticationTokenException: 'access_denied',
  NotAuthorized: 'access_denied',
  NotFoundException: 'key_not_found',
  UnrecognizedClientException: 'access_denied',
  UnsupportedOperationException: 'key_unfit',
  ValidationException: 'key_unfit',
};

/** What passes by itself, whatever its status; a chain of credentials that finds none may have asked a host that is away. */
const PASSING = new Set([
  'CredentialsProviderError',
  'DependencyTimeoutException',
  'KMSInternalException',
  'KeyUnavailableException',
  'RequestTimeout',
  'RequestTimeoutException',
  'TimeoutError',
]);
const THROTTLED = /Throttl|TooManyRequests|RequestLimitExceeded|LimitExceededException|SlowDown/;

/**
 * What a failed call means. Only what is known to pass is passing: whoever takes a key away from us, in whichever way, must
 * not have it used for as long as an outage is bridged.
 */
export function awsKmsCode(cause: unknown): KmsErrorCode {
  const { name, message, status, code } = described(cause);
  if (PASSING.has(name) || THROTTLED.test(name) || (status !== undefined && status >= 500))
    return 'unavailable';
  // One exception for several states, told apart by the message alone ("... is pending deletion.").
  if (name === 'KMSInvalidStateException')
    return /pending (replica )?deletion|Pending(Replica)?Deletion/.test(message)
      ? 'key_pending_deletion'
      : 'key_unusable';
  const known = CODES[name];
  if (known) return known;
  // No answer of the service: an error of the connection, which the system or TLS has named.
  return status === undefined && code !== undefined ? 'unavailable' : 'refused';
}

interface Described {
  readonly name: string;
  readonly message: string;
  /** Of the answer, where there was one. */
  readonly status: number | undefined;
  readonly code: string | undefined;
}

function described(cause: unknown): Described {
  if (!(cause instanceof Error)) return { name: '', message: '', status: undefined, code: undefined };
  const { $metadata, $response, code } = cause as {
    $metadata?: { httpStatusCode?: number };
    /** Of an answer that could not be read, as of a proxy. */
    $response?: { statusCode?: number };
    code?: unknown;
  };
  return {
    name: cause.name,
    message: cause.message,
    status: $metadata?.httpStatusCode ?? $response?.statusCode,
    code: typeof code === 'string' ? code : undefined,
  };
}
