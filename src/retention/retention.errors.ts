import { AppError } from '../platform/http/errors.js';

export class LegalHold extends AppError {
  readonly kind = 'conflict';
  readonly code = 'LEGAL_HOLD';
  constructor(
    what = 'The log of this organisation is under a legal hold, and nothing of it may be deleted.',
  ) {
    super(`${what} Whoever set the hold has to lift it first.`);
  }
}

export class NoLegalHold extends AppError {
  readonly kind = 'conflict';
  readonly code = 'NO_LEGAL_HOLD';
  constructor() {
    super('The log of this organisation is under no legal hold.');
  }
}

export class TooManyRestores extends AppError {
  readonly kind = 'conflict';
  readonly code = 'TOO_MANY_RESTORES';
  constructor(limit: number) {
    super(`${limit} ranges are loaded already. Wait until one of them expires, and search those meanwhile.`);
  }
}
