import { AppError, InvalidRequest } from '../platform/http/errors.js';

export class SignInBusy extends AppError {
  readonly kind = 'rate_limited';
  readonly code = 'SIGN_IN_BUSY';
  constructor() {
    super('Too many people are signing in at this moment. Repeat it in a few seconds.');
  }
}

/** A password that is not taken, with each reason. */
export function unfitPassword(pointer: string, reasons: readonly string[]): InvalidRequest {
  return new InvalidRequest(reasons.map((detail) => ({ pointer, detail })));
}
