import type { ErrorForm } from './error-form.js';
import { ERROR_STATUS, type AppError } from './errors.js';
import type { RequestContext } from './request-context.js';

const SCIM_PATH = /^\/scim\/v2(?:\/|$)/i;

/** RFC 7644 section 3.12; `status` is a text. */
export class ScimErrorDto {
  schemas!: string[];
  status!: string;
  scimType?: string;
  detail!: string;
}

const SCIM_ERRORS: ErrorForm = {
  mediaType: 'application/scim+json',
  type: ScimErrorDto,
  body: scimErrorOf,
  headers: ({ kind }): Record<string, string> =>
    kind === 'unauthenticated' ? { 'WWW-Authenticate': 'Bearer realm="waxell"' } : {},
};

/** How a request is refused: as its route says; as SCIM does below its path, where a route is not known, or not yet. */
export function errorFormOf({
  path,
  endpoint,
}: Pick<RequestContext, 'path' | 'endpoint'>): ErrorForm | undefined {
  return endpoint?.errors ?? (SCIM_PATH.test(path) ? SCIM_ERRORS : undefined);
}

export function scimErrorOf(error: AppError): ScimErrorDto {
  const fields = error.errors?.map(({ pointer, detail }) =>
    pointer === '' ? detail : `${pointer}: ${detail}`,
  );
  const scimType = error.scimType ?? (error.kind === 'invalid' ? SCIM_TYPES[error.code] : undefined);
  return {
    schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'],
    status: String(ERROR_STATUS[error.kind]),
    ...(scimType !== undefined && { scimType }),
    detail: fields && fields.length > 0 ? `${error.message} ${fields.join('; ')}` : error.message,
  };
}

const SCIM_TYPES: Readonly<Record<string, string | undefined>> = {
  MALFORMED_BODY: 'invalidSyntax',
  UNSUPPORTED_MEDIA_TYPE: 'invalidSyntax',
  INVALID_REQUEST: 'invalidValue',
};
