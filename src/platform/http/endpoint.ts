import { applyDecorators, SetMetadata } from '@nestjs/common';
import { ApiBearerAuth, ApiHeader, ApiOperation, ApiResponse } from '@nestjs/swagger';
import type { ExecutionContext } from '@nestjs/common';
import { ProblemDto } from './problem.dto.js';

export const ENDPOINT = Symbol('endpoint');

/** The permission of a route that anyone may call. Needs a reason. */
export const PUBLIC = Symbol('public');
/** The audit event of a route that tells nothing of any tenant: probes and published documents. */
export const UNAUDITED = Symbol('unaudited');

interface Common {
  /** One sentence for the reference. */
  readonly summary: string;
  /** Status of success where it is not 201 for POST, 204 for DELETE and 200 otherwise. */
  readonly status?: number;
  /** Statuses of problems that the route can answer beyond those that all can. */
  readonly problems?: readonly number[];
}

/** Everything a reviewer wants to see of a route; guards, audit and OpenAPI follow from it. */
export type EndpointOptions = Common &
  (
    | {
        readonly permission: string;
        readonly reason?: never;
        /** The audit event of a call, `noun.verb_in_past_tense`. */
        readonly audit: string;
      }
    | {
        readonly permission: typeof PUBLIC;
        readonly reason: string;
        readonly audit: string | typeof UNAUDITED;
      }
  );

const ALWAYS = [400, 413, 429, 500, 503];
const WHEN_AUTHENTICATED = [401, 403];

/** The one annotation of a route. A route without it keeps the application from starting. */
export function Endpoint(options: EndpointOptions): MethodDecorator {
  const problems = [
    ...ALWAYS,
    ...(options.permission === PUBLIC ? [] : WHEN_AUTHENTICATED),
    ...(options.problems ?? []),
  ];
  const permission =
    options.permission === PUBLIC ? `Public: ${options.reason}` : `Permission \`${options.permission}\``;
  const audit = options.audit === UNAUDITED ? 'Not audited' : `Audit event \`${options.audit}\``;
  return applyDecorators(
    SetMetadata(ENDPOINT, Object.freeze({ ...options })),
    ApiOperation({ summary: options.summary, description: `${permission}. ${audit}.` }),
    ...[...new Set(problems)]
      .sort((a, b) => a - b)
      .map((status) =>
        ApiResponse({
          status,
          description: PROBLEM_DESCRIPTIONS[status] ?? 'Problem',
          type: ProblemDto,
          example: undefined,
        }),
      ),
    ...(options.permission === PUBLIC
      ? []
      : [
          ApiBearerAuth(),
          ApiHeader({
            name: 'X-Tenant-Slug',
            required: false,
            description: 'The organisation. Credentials carry it; if sent, it must agree with them.',
          }),
        ]),
  );
}

const PROBLEM_DESCRIPTIONS: Record<number, string> = {
  400: 'The request is not valid; `errors` names each wrong field.',
  401: 'No credential, or one that is not valid any more.',
  403: 'The credential does not allow this.',
  404: 'No such resource in this organisation.',
  409: 'It conflicts with what exists.',
  412: 'If-Match does not name the current version: read it again.',
  413: 'The body is too large.',
  422: 'Not possible in the state that the resource is in.',
  428: 'If-Match is required here.',
  429: 'Too many requests: see Retry-After.',
  500: 'A fault on our side.',
  503: 'Not available right now: see Retry-After.',
};

export function endpointOf(context: ExecutionContext): EndpointOptions | undefined {
  return Reflect.getMetadata(ENDPOINT, context.getHandler()) as EndpointOptions | undefined;
}
