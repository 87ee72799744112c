/** The closed set of what can be wrong with a request; each has one HTTP status. */
export const ERROR_STATUS = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  gone: 410,
  precondition_failed: 412,
  too_large: 413,
  unprocessable: 422,
  precondition_required: 428,
  misdirected: 421,
  rate_limited: 429,
  internal: 500,
  unavailable: 503,
} as const;

export type ErrorKind = keyof typeof ERROR_STATUS;

/** One wrong field of a request. `pointer` is a JSON Pointer (RFC 6901) into the body, or a parameter's name. */
export interface FieldError {
  readonly pointer: string;
  readonly detail: string;
}

/** A quota by its name; `resetsAt` (RFC 3339) where it begins anew by itself. */
export interface QuotaLimit {
  readonly name: string;
  readonly limit: number;
  readonly resetsAt?: string;
}

/** What was refused, and whom to ask for it. */
export interface DeniedAccess {
  /** The same as in the event of the refusal. */
  readonly decisionId: string;
  /** Absent where it is more than one. */
  readonly permission?: string;
  /** The least of the default roles that has it; absent where none has. */
  readonly role?: string;
  /** Who could give it. */
  readonly askFor: string;
}

/** A region, and where it is served, if that is known. */
export interface RegionPlace {
  readonly name: string;
  readonly url?: string;
}

/**
 * What a feature throws. `message` is for the caller and says what to do; `cause` is for the log alone.
 */
export abstract class AppError extends Error {
  abstract readonly kind: ErrorKind;
  /** Stable, in UPPER_CASE: what a program may test. */
  abstract readonly code: string;
  /** Whether it is a refusal in the log, where its status, which a standard asks for, does not say so. */
  readonly denies?: boolean;
  /** What the event says where the caller is told less. */
  readonly auditCode?: string;
  readonly errors?: readonly FieldError[];
  /** The quota that is used up. */
  readonly quota?: QuotaLimit;
  /** Where the request belongs. */
  readonly region?: RegionPlace;
  readonly access?: DeniedAccess;
  /** What SCIM calls it (RFC 7644 section 3.12), where it has a name for it. */
  readonly scimType?: string;
}

export class InvalidRequest extends AppError {
  readonly kind = 'invalid';
  readonly code = 'INVALID_REQUEST';
  override readonly errors: readonly FieldError[];

  constructor(
    errors: readonly FieldError[],
    message = 'The request is not valid. See "errors" for each wrong field.',
  ) {
    super(message);
    this.errors = errors;
  }
}

export class MalformedBody extends AppError {
  readonly kind = 'invalid';
  readonly code = 'MALFORMED_BODY';
  constructor(options?: ErrorOptions) {
    super('The body is not valid JSON. Send a JSON document with Content-Type: application/json.', options);
  }
}

export class UnsupportedMediaType extends AppError {
  readonly kind = 'invalid';
  readonly code = 'UNSUPPORTED_MEDIA_TYPE';
  constructor() {
    super('The body must be JSON in UTF-8. Send Content-Type: application/json, uncompressed.');
  }
}

export class BodyTooLarge extends AppError {
  readonly kind = 'too_large';
  readonly code = 'BODY_TOO_LARGE';
  constructor(limitBytes: number) {
    super(`The body is larger than ${limitBytes} bytes. Send a smaller one.`);
  }
}

export class RouteNotFound extends AppError {
  readonly kind = 'not_found';
  readonly code = 'ROUTE_NOT_FOUND';
  constructor() {
    super('No such endpoint. See /openapi.json for what there is.');
  }
}

/** A resource that does not exist, or that this caller must not know of: the two are not told apart. */
export class ResourceNotFound extends AppError {
  readonly kind = 'not_found';
  readonly code = 'NOT_FOUND';
  constructor(resource: string) {
    super(`No such ${resource}. Check the id, and that it belongs to your organisation.`);
  }
}

/** A change that must say which version it is meant for. */
export class VersionRequired extends AppError {
  readonly kind = 'precondition_required';
  readonly code = 'VERSION_REQUIRED';
  constructor() {
    super('Send If-Match with the ETag of the version that you read and mean to change.');
  }
}

/** The credential was good when the request began, and was revoked while it was being served. */
export class CredentialRevoked extends AppError {
  readonly kind = 'unauthenticated';
  readonly code = 'CREDENTIAL_REVOKED';
  constructor() {
    super(
      'The credential was revoked while this request was being served. Nothing was changed. Sign in again.',
    );
  }
}

export class InternalError extends AppError {
  readonly kind = 'internal';
  readonly code = 'INTERNAL';
  constructor(options?: ErrorOptions) {
    super(
      'Something went wrong on our side. Repeat the request; if it stays, report the request id.',
      options,
    );
  }
}

export class ServiceUnavailable extends AppError {
  readonly kind = 'unavailable';
  readonly code = 'UNAVAILABLE';
  constructor(
    message = 'The service cannot answer right now. Repeat the request in a moment.',
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
