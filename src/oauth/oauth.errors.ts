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
export type ClientRefusal =
  | 'CLIENT_UNKNOWN'
  | 'CLIENT_DISABLED'
  | 'CLIENT_EXPIRED'
  | 'CLIENT_SECRET_WRONG'
  | 'CLIENT_ASSERTION_INVALID'
  | 'CLIENT_ASSERTION_SHOWN_BEFORE';

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
    super('This client proves itself by its own key: register another one with PATCH, in publicKeys.');
  }
}
