import { AppError } from '../platform/http/errors.js';

/** An error of RFC 6749 section 5.2, or of a standard that extends it: answered as that says. */
export abstract class OAuthError extends AppError {
  /** The error's name in the standard. */
  abstract readonly error: string;
}

export class OAuthRequestInvalid extends OAuthError {
  readonly kind = 'invalid';
  readonly code = 'OAUTH_REQUEST_INVALID';
  readonly error = 'invalid_request';
}

export class GrantTypeUnsupported extends OAuthError {
  readonly kind = 'invalid';
  readonly code = 'OAUTH_GRANT_TYPE_UNSUPPORTED';
  readonly error = 'unsupported_grant_type';
  constructor() {
    super('grant_type must be client_credentials or refresh_token.');
  }
}

/** Why a client was not believed: what the event says. The caller is told the same for all of them. */
export const CLIENT_REFUSALS = {
  CLIENT_UNKNOWN: 'There is no such client, or nothing names one.',
  CLIENT_DISABLED: 'The client has proved itself, and is disabled.',
  CLIENT_EXPIRED: 'The client has proved itself, and its time is over.',
  CLIENT_SECRET_WRONG: 'The secret is not one of the client that works now; it may have none.',
  CLIENT_ASSERTION_INVALID:
    'The assertion is not signed by a key of the client for us alone, is over, or the client has no keys.',
  CLIENT_ASSERTION_SHOWN_BEFORE: 'The assertion was shown before.',
  CLIENT_NOT_NAMED: 'The form has no client_id, and a token of another issuer cannot name a client.',
  CLIENT_TOKEN_INVALID:
    'It is no signed JWT, is of another type or algorithm, or its signature is not right.',
  CLIENT_TOKEN_ISSUER: 'The token is of another issuer (iss).',
  CLIENT_TOKEN_SUBJECT: 'The token is of another subject (sub).',
  CLIENT_TOKEN_AUDIENCE: 'The token is meant for another audience (aud), or for several.',
  CLIENT_TOKEN_TIME: 'The token is over, of the future, good for more than a day, or has no end.',
  CLIENT_TOKEN_KEY: 'The token is signed by a key that its issuer does not publish.',
  CLIENT_ISSUER_UNFIT:
    'What the issuer publishes names another issuer, or no jwks_uri that begins with https://.',
} as const;

export type ClientRefusal = keyof typeof CLIENT_REFUSALS;

export class ClientRefused extends OAuthError {
  readonly kind = 'unauthenticated';
  readonly code = 'OAUTH_CLIENT_INVALID';
  readonly error = 'invalid_client';
  override readonly auditCode: string;

  constructor(refusal: ClientRefusal, options?: ErrorOptions) {
    super('The client is not known, or did not prove that it is the one that it names.', options);
    this.auditCode = refusal;
  }
}

/** Whether the client is right about itself cannot be told now. It is not believed meanwhile. */
export class IssuerUnreachable extends OAuthError {
  readonly kind = 'unavailable';
  readonly code = 'OAUTH_ISSUER_UNREACHABLE';
  readonly error = 'temporarily_unavailable';
  constructor(options?: ErrorOptions) {
    super("The keys of the token's issuer could not be read. Repeat the request in a moment.", options);
  }
}

/** It is right about itself, and calls from where it may not. Told only to who has proved to be the client. */
export class ClientAddressNotAllowed extends OAuthError {
  readonly kind = 'forbidden';
  readonly code = 'OAUTH_ADDRESS_NOT_ALLOWED';
  readonly error = 'unauthorized_client';
  override readonly auditCode = 'ADDRESS_NOT_ALLOWED';
  constructor() {
    super('The client may not be used from your address.');
  }
}

export class ScopeRefused extends OAuthError {
  readonly kind = 'invalid';
  readonly code = 'OAUTH_SCOPE_INVALID';
  readonly error = 'invalid_scope';
  override readonly denies = true;
  constructor() {
    super(
      'A scope is not known, or is more than the client may have. Sessions of people have none to choose.',
    );
  }
}

export class RefreshRefused extends OAuthError {
  readonly kind = 'invalid';
  readonly code = 'OAUTH_GRANT_INVALID';
  readonly error = 'invalid_grant';
  override readonly denies = true;
  constructor(options?: ErrorOptions) {
    super(
      'The refresh token is not valid: it was used, has expired or was revoked, or is bound to a key.',
      options,
    );
  }
}

export class ProofRefused extends OAuthError {
  readonly kind = 'invalid';
  readonly code = 'OAUTH_DPOP_PROOF_INVALID';
  readonly error = 'invalid_dpop_proof';
  override readonly denies = true;
  constructor(options?: ErrorOptions) {
    super('The header DPoP must have a proof for this very request, shown once (RFC 9449).', options);
  }
}

export class RevocationUnsupported extends OAuthError {
  readonly kind = 'invalid';
  readonly code = 'OAUTH_TOKEN_TYPE_UNSUPPORTED';
  readonly error = 'unsupported_token_type';
  constructor() {
    super('Access tokens of people end with their session: revoke its refresh token.');
  }
}

export class TooManyClients extends AppError {
  readonly kind = 'conflict';
  readonly code = 'TOO_MANY_CLIENTS';
  constructor(limit: number) {
    super(`An organisation has at most ${limit} clients. Delete one that you do not need.`);
  }
}

export class ClientHasNoSecret extends AppError {
  readonly kind = 'unprocessable';
  readonly code = 'CLIENT_HAS_NO_SECRET';
  constructor() {
    super(
      'This client has no secret: what it proves itself by is changed with PATCH, in publicKeys or federation.',
    );
  }
}
