import { AppError } from '../platform/http/errors.js';

export class PoliciesLockOutOwners extends AppError {
  readonly kind = 'unprocessable';
  readonly code = 'POLICIES_LOCK_OUT_OWNERS';
  constructor(permission: string, policies: readonly string[]) {
    super(
      `With these policies no Owner could do ${permission}, which ${policies.join(', ')} forbids. Let them do that, and activate the policies anew.`,
    );
  }
}

/** Two have written at the same moment. */
export class PoliciesChanged extends AppError {
  readonly kind = 'conflict';
  readonly code = 'POLICIES_CHANGED';
  constructor() {
    super('Somebody else has changed the policies at this moment. Read them again, and repeat it.');
  }
}

export class PoliciesInForce extends AppError {
  readonly kind = 'conflict';
  readonly code = 'POLICIES_IN_FORCE';
  constructor() {
    super('These policies are in force already.');
  }
}

/** Whom a forbid binds does not lift it. */
export class ForbidLiftedFromSelf extends AppError {
  readonly kind = 'forbidden';
  readonly code = 'FORBID_LIFTED_FROM_SELF';
  constructor(name: string) {
    super(
      `The policy ${name} may forbid something to you, and would not be in force any more as it is written. Leave it in, or have an Owner do it.`,
    );
  }
}

export class NeverInForce extends AppError {
  readonly kind = 'unprocessable';
  readonly code = 'NEVER_IN_FORCE';
  constructor() {
    super('This version was never in force: there is nothing to go back to. Activate it instead.');
  }
}
