import { AppError } from '../platform/http/errors.js';

export class TooManyDestinations extends AppError {
  readonly kind = 'conflict';
  readonly code = 'TOO_MANY_DESTINATIONS';
  constructor(limit: number) {
    super(`An organisation has at most ${limit} destinations. Delete one that you do not need.`);
  }
}

export class DestinationNotOffered extends AppError {
  readonly kind = 'unprocessable';
  readonly code = 'DESTINATION_NOT_OFFERED';
  constructor() {
    super(
      'This installation does not write audit logs to its standard output. Ask its operator, or choose another kind.',
    );
  }
}

export class SecretNotOurs extends AppError {
  readonly kind = 'unprocessable';
  readonly code = 'SECRET_NOT_OURS';
  constructor() {
    super(
      'Only the secret of a webhook is made here. Give a new credential instead: PATCH /v1/audit/destinations/{id}.',
    );
  }
}

export class DestinationPaused extends AppError {
  readonly kind = 'conflict';
  readonly code = 'DESTINATION_PAUSED';
  constructor() {
    super('Nothing is sent to a destination that is paused. Resume it first.');
  }
}

export class DeliveryAtWork extends AppError {
  readonly kind = 'conflict';
  readonly code = 'DELIVERY_AT_WORK';
  constructor() {
    super('Events are being sent to this destination at this moment. Try again in a minute.');
  }
}
