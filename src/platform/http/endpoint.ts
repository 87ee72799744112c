import { applyDecorators, SetMetadata } from '@nestjs/common';
import {
  ApiBearerAuth,
  ApiExtraModels,
  ApiHeader,
  ApiOperation,
  ApiResponse,
  getSchemaPath,
} from '@nestjs/swagger';
import type { ExecutionContext } from '@nestjs/common';
import { PUBLIC, UNAUDITED, type EndpointOptions, type On } from './endpoint-options.js';
import type { ErrorForm } from './error-form.js';
import { currentRequest } from './request-context.js';
import { ProblemDto } from './problem.dto.js';

export { PUBLIC, UNAUDITED, type EndpointOptions, type On } from './endpoint-options.js';

export const ENDPOINT = Symbol('endpoint');

const ALWAYS = [400, 410, 413, 421, 429, 500, 503];
const WHEN_AUTHENTICATED = [401, 403];

const STEP_UP: Readonly<Record<string, string>> = {
  true: ' Needs `POST /v1/auth/step-up` in the five minutes before.',
  or_first_factor:
    ' Needs `POST /v1/auth/step-up` in the five minutes before, or, of somebody without a second factor, a sign-in through a provider.',
  of_people: ' Of people: needs a sign-in or `POST /v1/auth/step-up` in the five minutes before.',
};

/** The one annotation of a route. A route without it keeps the application from starting. */
export function Endpoint(options: EndpointOptions): MethodDecorator {
  const problems = [
    ...ALWAYS,
    ...(options.permission === PUBLIC ? [] : WHEN_AUTHENTICATED),
    ...(options.problems ?? []),
  ];
  const permission =
    options.permission === PUBLIC
      ? `Public: ${options.reason}`
      : `Permission \`${options.permission}\`${describeOn(options.on)}`;
  const audit = options.audit === UNAUDITED ? 'Not audited' : `Audit event \`${options.audit}\``;
  const stepUp = options.stepUp ? STEP_UP[String(options.stepUp)] : '';
  return applyDecorators(
    served,
    SetMetadata(ENDPOINT, Object.freeze({ ...options })),
    ApiOperation({ summary: options.summary, description: `${permission}. ${audit}.${stepUp}` }),
    ...[...new Set(problems)]
      .sort((a, b) => a - b)
      .map((status) =>
        ApiResponse({
          status,
          description: PROBLEM_DESCRIPTIONS[status] ?? 'Problem',
          content: contentOf(options.errors),
        }),
      ),
    ...(options.errors ? [ApiExtraModels(options.errors.type)] : []),
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

/**
 * What is refused before it is known for which route it is, such as a body of another kind, is a problem everywhere. Named
 * and not given as a type, which the framework would read anew for each of thousands of responses.
 */
function contentOf(form: ErrorForm | undefined) {
  const described = (dto: ErrorForm['type']) => ({ schema: { $ref: getSchemaPath(dto) } });
  return {
    ...(form && { [form.mediaType]: described(form.type) }),
    'application/problem+json': described(ProblemDto),
  };
}

/** Where the permission is needed, for the reference and the snapshot of routes. */
export function describeOn(on: On | undefined): string {
  if (!on) return '';
  if ('path' in on) return ` on the ${on.path}`;
  return 'rows' in on ? ` on each ${on.rows}` : ` on the ${on.names} that ${on.body} names`;
}

/** Has the handler called by the request's `serve`. Without it there is no tenant in scope and no event: it is refused. */
function served(_target: object, _key: string | symbol, descriptor: PropertyDescriptor): void {
  const handler = descriptor.value as (this: unknown, ...parameters: unknown[]) => unknown;
  const surrounded = function (this: unknown, ...parameters: unknown[]): Promise<unknown> {
    const serve = currentRequest()?.serve;
    if (!serve) throw new Error('A handler was called outside the request pipeline.');
    return serve(() => handler.apply(this, parameters));
  };
  for (const key of Reflect.getMetadataKeys(handler)) {
    Reflect.defineMetadata(key, Reflect.getMetadata(key, handler), surrounded);
  }
  descriptor.value = Object.defineProperty(surrounded, 'name', { value: handler.name });
}

const PROBLEM_DESCRIPTIONS: Record<number, string> = {
  400: 'The request is not valid; `errors` names each wrong field.',
  401: 'No credential, or one that is not valid any more.',
  403: 'The credential does not allow this.',
  404: 'No such resource in this organisation.',
  409: 'It conflicts with what exists.',
  410: 'The keys of the organisation were destroyed: what they have sealed cannot be read by anybody.',
  412: 'If-Match does not name the current version: read it again.',
  413: 'The body is too large.',
  421: 'The organisation is served in another region, which `region` names.',
  422: 'Not possible in the state that the resource is in.',
  428: 'If-Match is required here.',
  429: 'Too many requests: see Retry-After.',
  500: 'A fault on our side.',
  503: 'Not available right now: see Retry-After.',
};

export function endpointOf(context: ExecutionContext): EndpointOptions | undefined {
  return Reflect.getMetadata(ENDPOINT, context.getHandler()) as EndpointOptions | undefined;
}
