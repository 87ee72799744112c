import { v7 as uuidv7 } from 'uuid';
import { AppError, type DeniedAccess } from '../platform/http/errors.js';

export class AuthenticationRequired extends AppError {
  readonly kind = 'unauthenticated';
  readonly code = 'AUTHENTICATION_REQUIRED';
  constructor() {
    super('Send an API key or an access token: Authorization: Bearer <credential>.');
  }
}

/** One answer for every credential that is wrong, whatever is wrong with it. */
export class InvalidCredential extends AppError {
  readonly kind = 'unauthenticated';
  readonly code = 'INVALID_CREDENTIAL';
  constructor(options?: ErrorOptions) {
    super(
      'The credential is not valid: it may have expired or been revoked. Sign in again or use another key.',
      options,
    );
  }
}

/** What is wrong with it is in the log: a proof is a signature, and is told nothing. */
export class DpopProofInvalid extends AppError {
  readonly kind = 'unauthenticated';
  readonly code = 'DPOP_PROOF_INVALID';
  constructor(options?: ErrorOptions) {
    super(
      'The token needs a proof of its key in the header DPoP, made for this very request (RFC 9449), and shown once.',
      options,
    );
  }
}

/** A key acts for a person, and a client for nobody. */
export class KeyNeedsPerson extends AppError {
  readonly kind = 'forbidden';
  readonly code = 'KEY_NEEDS_PERSON';
  constructor() {
    super('A client makes no API keys, which act for people. It asks for access tokens: POST /oauth/token.');
  }
}

/** One answer whether the organisation, the person or the password is wrong. */
export class SignInFailed extends AppError {
  readonly kind = 'unauthenticated';
  readonly code = 'SIGN_IN_FAILED';
  constructor() {
    super('E-mail address or password is wrong, or there is no such organisation.');
  }
}

export class CrossSiteRequest extends AppError {
  readonly kind = 'forbidden';
  readonly code = 'CROSS_SITE_REQUEST';
  constructor() {
    super('A change with a session cookie must come from this site. Programs use an API key instead.');
  }
}

export class EmailTaken extends AppError {
  readonly kind = 'conflict';
  readonly code = 'EMAIL_TAKEN';
  override readonly scimType = 'uniqueness';
  constructor() {
    super('Somebody in this organisation has this e-mail address already.');
  }
}

export class NoSession extends AppError {
  readonly kind = 'unprocessable';
  readonly code = 'NO_SESSION';
  constructor() {
    super('An API key has no session to end. Revoke the key instead: DELETE /v1/api-keys/{id}.');
  }
}

/** Nobody hands out more than they hold themselves. */
export class GrantExceedsOwn extends AppError {
  readonly kind = 'forbidden';
  readonly code = 'GRANT_EXCEEDS_OWN';
  override readonly access: DeniedAccess;
  constructor(what: string, permission?: string) {
    super(`You cannot grant ${what}: it is more than you hold yourself. Ask an Owner or an Admin.`);
    this.access = {
      decisionId: uuidv7(),
      ...(permission !== undefined && { permission }),
      askFor: 'an Owner or an Admin',
    };
  }
}

export class LastOwner extends AppError {
  readonly kind = 'conflict';
  readonly code = 'LAST_OWNER';
  constructor() {
    super('An organisation keeps at least one active owner. Make somebody else an owner first.');
  }
}

/** Without one nobody would get in while the identity provider is away. */
export class LastBreakGlassOwner extends AppError {
  readonly kind = 'conflict';
  readonly code = 'LAST_BREAK_GLASS_OWNER';
  constructor() {
    super(
      'A domain refuses passwords, and this is the last Owner who may use one all the same. Name another first: PUT /v1/sso/break-glass.',
    );
  }
}

/** Erasing oneself would end the session that does it, and nobody could say any more who did. */
export class CannotEraseSelf extends AppError {
  readonly kind = 'conflict';
  readonly code = 'CANNOT_ERASE_SELF';
  constructor() {
    super('Nobody erases themselves. Ask another administrator of the organisation.');
  }
}

export class UserErased extends AppError {
  readonly kind = 'gone';
  readonly code = 'USER_ERASED';
  constructor() {
    super('This person was erased, which cannot be taken back. Add the person anew, if that is meant.');
  }
}

/** It was revoked, has expired, or was rotated before. */
export class ApiKeyEnded extends AppError {
  readonly kind = 'unprocessable';
  readonly code = 'API_KEY_ENDED';
  constructor() {
    super('This API key has ended or was rotated already. Create another: POST /v1/api-keys.');
  }
}

/** The last new signing key is published, and does not sign yet. */
export class SigningKeyNotInUse extends AppError {
  readonly kind = 'conflict';
  readonly code = 'SIGNING_KEY_NOT_IN_USE';
  constructor(from: Date) {
    super(
      `The last new key does not sign before ${from.toISOString()}. Rotate again after that, or at once with "compromised" if keys are known to others.`,
    );
  }
}

export class AddressNotAllowed extends AppError {
  readonly kind = 'forbidden';
  readonly code = 'ADDRESS_NOT_ALLOWED';
  constructor() {
    super(
      'This credential may not be used from your address. Use it from where it is meant for, or create another.',
    );
  }
}

/** The session of somebody whose days of grace are over. */
export class SecondFactorMissing extends AppError {
  readonly kind = 'forbidden';
  readonly code = 'SECOND_FACTOR_MISSING';
  constructor() {
    super(
      'Your organisation asks for a second factor, and you have none. Set one up: POST /v1/me/second-factors/totp or /v1/me/second-factors/webauthn.',
    );
  }
}
