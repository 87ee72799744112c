import { AppError } from '../platform/http/errors.js';

export class DomainAdded extends AppError {
  readonly kind = 'conflict';
  readonly code = 'DOMAIN_ADDED';
  constructor() {
    super('This domain was added already. Verify it: POST /v1/domains/{id}/verify.');
  }
}

export class TooManyDomains extends AppError {
  readonly kind = 'conflict';
  readonly code = 'TOO_MANY_DOMAINS';
  constructor(limit: number) {
    super(`An organisation has at most ${limit} domains. Delete one that you do not need.`);
  }
}

/** Whose it is otherwise is not said. */
export class DomainTaken extends AppError {
  readonly kind = 'conflict';
  readonly code = 'DOMAIN_TAKEN';
  constructor() {
    super('This domain is verified for another organisation. It has to delete it there first.');
  }
}

export class DomainNotProven extends AppError {
  readonly kind = 'unprocessable';
  readonly code = 'DOMAIN_NOT_PROVEN';
  constructor(host: string) {
    super(
      `The DNS has no text at ${host} that proves the domain. Set the record that the domain shows; it may take an hour until it is seen.`,
    );
  }
}

export class DomainNotVerified extends AppError {
  readonly kind = 'unprocessable';
  readonly code = 'DOMAIN_NOT_VERIFIED';
  constructor() {
    super('This domain is not verified. Verify it first: POST /v1/domains/{id}/verify.');
  }
}

/** An organisation that asks for what cannot be done shuts all of its people out. */
export class SsoNotReady extends AppError {
  readonly kind = 'unprocessable';
  readonly code = 'SSO_NOT_READY';
  constructor() {
    super(
      'Before passwords are refused, there has to be an active connection, and an Owner who may use a password all the same: PUT /v1/sso/break-glass.',
    );
  }
}

export class SsoRequired extends AppError {
  readonly kind = 'forbidden';
  readonly code = 'SSO_REQUIRED';
  constructor() {
    super('People of this domain sign in through their company: POST /v1/auth/discover says where.');
  }
}
