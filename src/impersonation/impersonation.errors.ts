import { AppError } from '../platform/http/errors.js';

export class ImpersonationNotPending extends AppError {
  readonly kind = 'conflict';
  readonly code = 'IMPERSONATION_NOT_PENDING';
  constructor() {
    super('It was approved or ended already, or was asked for more than a day ago. Have it asked for anew.');
  }
}

export class TooManyImpersonations extends AppError {
  readonly kind = 'conflict';
  readonly code = 'TOO_MANY_IMPERSONATIONS';
  constructor(limit: number) {
    super(`An organisation has at most ${limit} impersonations that are not over. Wait, or have one ended.`);
  }
}
