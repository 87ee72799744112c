import type { ErrorForm } from '../platform/http/error-form.js';
import { ERROR_STATUS, type AppError, type ErrorKind } from '../platform/http/errors.js';
import { SetErrorDto } from './set-error.dto.js';
import { SetRefused, type SetErrorCode } from './shared-signals.errors.js';

const CODES: Readonly<Partial<Record<ErrorKind, SetErrorCode>>> = {
  unauthenticated: 'authentication_failed',
  forbidden: 'access_denied',
};

/** That a transmitter is not known or a token not taken is 400 there; other errors have the status of HTTP, as it says too. */
export const SET_ERRORS: ErrorForm = {
  mediaType: 'application/json',
  type: SetErrorDto,
  body: (error) => ({ err: codeOf(error), description: error.message }),
  status: ({ kind }) => (CODES[kind] ? ERROR_STATUS.invalid : ERROR_STATUS[kind]),
  headers: () => ({ 'Content-Language': 'en' }),
};

function codeOf(error: AppError): SetErrorCode {
  return error instanceof SetRefused ? error.err : (CODES[error.kind] ?? 'invalid_request');
}
