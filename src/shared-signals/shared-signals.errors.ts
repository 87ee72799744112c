import { AppError } from '../platform/http/errors.js';

/** RFC 8935 section 2.4. */
export type SetErrorCode =
  | 'invalid_request'
  | 'invalid_key'
  | 'invalid_issuer'
  | 'invalid_audience'
  | 'authentication_failed'
  | 'access_denied';

/** A security event token that is not taken; its sender is told why, having proved itself by the token of the stream. */
export class SetRefused extends AppError {
  readonly kind = 'invalid';
  readonly code = 'SET_REFUSED';
  override readonly denies: boolean;
  override readonly auditCode: string;

  constructor(
    readonly err: SetErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.denies = err !== 'invalid_request';
    this.auditCode = `SET_${err.toUpperCase()}`;
  }
}

export class TooManyTransmitters extends AppError {
  readonly kind = 'conflict';
  readonly code = 'TOO_MANY_TRANSMITTERS';
  constructor(limit: number) {
    super(`An organisation has at most ${limit} transmitters. Delete one that you do not need.`);
  }
}
