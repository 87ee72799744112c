import { AppError } from '../platform/http/errors.js';

/** The waiting time of a deletion is over, and it is being done at this moment. */
export class KeyDeletionBegun extends AppError {
  readonly kind = 'conflict';
  readonly code = 'KEY_DELETION_BEGUN';
  constructor() {
    super('The keys are being destroyed at this moment, which cannot be taken back.');
  }
}
