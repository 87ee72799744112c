import { AppError } from '../../platform/http/errors.js';

/** The installation sends none, the organisation does not take them, or they do not count for the person. */
export class TextMessagesNotOffered extends AppError {
  readonly kind = 'forbidden';
  readonly code = 'TEXT_MESSAGES_NOT_OFFERED';
  constructor(override readonly auditCode = 'TEXT_MESSAGES_NOT_OFFERED') {
    super('Codes in text messages do not count for you here. Use an authenticator app or a security key.');
  }
}

export class NumberNotAllowed extends AppError {
  readonly kind = 'unprocessable';
  readonly code = 'NUMBER_NOT_ALLOWED';
  constructor() {
    super(
      'No text messages are sent to numbers that begin like this one. Use another number or kind of factor.',
    );
  }
}

export class TooManyTextMessages extends AppError {
  readonly kind = 'rate_limited';
  readonly code = 'TOO_MANY_TEXT_MESSAGES';
  /** @param auditCode which of the limits it was: the caller, who may be a stranger, is not told */
  constructor(override readonly auditCode: string) {
    super('Too many text messages were sent. Use another of your factors, or try again later.');
  }
}

export class TextMessageNotTaken extends AppError {
  readonly kind = 'unavailable';
  readonly code = 'TEXT_MESSAGE_NOT_TAKEN';
  constructor() {
    super(
      'The text message could not be handed over. Use another of your factors, or try again in a minute.',
    );
  }
}
