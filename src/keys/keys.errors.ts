import { AppError } from '../platform/http/errors.js';

/** There is none to be detached. */
export class NoCustomerKey extends AppError {
  readonly kind = 'not_found';
  readonly code = 'NO_CUSTOMER_KEY';
  constructor() {
    super("The organisation's keys are under a key that we keep; none of yours is attached.");
  }
}

/** The waiting time of a deletion is over, and it is being done at this moment. */
export class KeyDeletionBegun extends AppError {
  readonly kind = 'conflict';
  readonly code = 'KEY_DELETION_BEGUN';
  constructor() {
    super('The keys are being destroyed at this moment, which cannot be taken back.');
  }
}
