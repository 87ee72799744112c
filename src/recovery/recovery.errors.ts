import { AppError } from '../platform/http/errors.js';

/** One answer whatever is wrong with a link. */
export class ResetLinkInvalid extends AppError {
  readonly kind = 'unprocessable';
  readonly code = 'RESET_LINK_INVALID';
  constructor() {
    super(
      'This link does not work: it works once, within 30 minutes. Ask for another: POST /v1/auth/password-reset.',
    );
  }
}
