import { AppError } from '../platform/http/errors.js';

/** One answer whatever is wrong with a challenge: used, too old, tried too often, another browser's or nobody's. */
export class ChallengeInvalid extends AppError {
  readonly kind = 'unauthenticated';
  readonly code = 'CHALLENGE_INVALID';
  constructor(override readonly auditCode = 'CHALLENGE_INVALID') {
    super('This challenge does not work: it works once, for five minutes, where it began. Begin anew.');
  }
}

/** One answer whatever is wrong with what was shown. The event has the reason. */
export class SecondFactorFailed extends AppError {
  readonly kind = 'unauthenticated';
  readonly code = 'SECOND_FACTOR_FAILED';
  constructor(override readonly auditCode: string) {
    super('The second factor was not right. Try again with a new code, or another of your factors.');
  }
}

/** The same to somebody who is signed in. */
export class SecondFactorWrong extends AppError {
  readonly kind = 'forbidden';
  readonly code = 'SECOND_FACTOR_WRONG';
  constructor(override readonly auditCode: string) {
    super('The second factor was not right. Try again with a new code, or another of your factors.');
  }
}

/** One answer whatever is wrong with what a passkey has signed. The event has the reason. */
export class PasskeyFailed extends AppError {
  readonly kind = 'unauthenticated';
  readonly code = 'PASSKEY_FAILED';
  constructor(override readonly auditCode: string) {
    super('The passkey was not right for this organisation. Use another, or sign in with your password.');
  }
}

/** A password again is no proof for somebody who has something stronger. */
export class SecondFactorNeeded extends AppError {
  readonly kind = 'forbidden';
  readonly code = 'SECOND_FACTOR_NEEDED';
  constructor() {
    super('You have a second factor: prove it. POST /v1/auth/step-up/options says which, and begins.');
  }
}

export class LastSecondFactor extends AppError {
  readonly kind = 'conflict';
  readonly code = 'LAST_SECOND_FACTOR';
  constructor() {
    super('Your organisation asks for a second factor, and this is your last. Set up another one first.');
  }
}

/** Codes for when a factor is lost are of no use without one. */
export class NoSecondFactor extends AppError {
  readonly kind = 'unprocessable';
  readonly code = 'NO_SECOND_FACTOR';
  constructor() {
    super('You have no second factor yet. Set one up first: recovery codes come with it.');
  }
}

export class CannotResetSelf extends AppError {
  readonly kind = 'conflict';
  readonly code = 'CANNOT_RESET_SELF';
  constructor() {
    super('Nobody resets their own second factors. Ask another administrator, or remove them one by one.');
  }
}

export class TooManySecondFactors extends AppError {
  readonly kind = 'conflict';
  readonly code = 'TOO_MANY_SECOND_FACTORS';
  constructor(most: number) {
    super(`A person has at most ${most} second factors. Remove one first.`);
  }
}

/** What was shown to set a factor up did not fit. */
export class EnrolmentFailed extends AppError {
  readonly kind = 'unprocessable';
  readonly code = 'ENROLMENT_FAILED';
  constructor(
    message: string,
    override readonly auditCode = 'ENROLMENT_FAILED',
  ) {
    super(message);
  }
}

/** As many sign-ins are under way as an organisation can have at once. */
export class ChallengesBusy extends AppError {
  readonly kind = 'rate_limited';
  readonly code = 'CHALLENGES_BUSY';
  constructor() {
    super('Too many sign-ins are under way in this organisation. Try again in a minute.');
  }
}

/** Why what was shown is no proof. For the event; whoever showed it is told less. */
export class FactorRefused extends Error {
  constructor(
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    super(reason, options);
  }
}
