import { createParamDecorator, type ExecutionContext, Param, type PipeTransform } from '@nestjs/common';
import { ApiHeader } from '@nestjs/swagger';
import type { Request } from 'express';
import { AppError, InvalidRequest, ResourceNotFound } from './errors.js';
import { contextOf, type Actor, type RequestTenant } from './request-context.js';
import { UUID_KEY } from './pagination.js';

/** Who acts; passed on explicitly to whatever the handler calls. */
export const CurrentActor = createParamDecorator((_data: unknown, execution: ExecutionContext): Actor => {
  return contextOf(execution.switchToHttp().getRequest<Request>()).actor;
});

export const CurrentTenant = createParamDecorator(
  (_data: unknown, execution: ExecutionContext): RequestTenant => {
    const tenant = contextOf(execution.switchToHttp().getRequest<Request>()).tenant;
    if (!tenant) throw new Error('This route has no tenant.');
    return tenant;
  },
);

/** What is not even an id cannot exist: 404, as for an id of somebody else's. */
class ResourceIdPipe implements PipeTransform<string, string> {
  constructor(private readonly resource: string) {}
  transform(value: string): string {
    const id = value.toLowerCase();
    if (!UUID_KEY.test(id)) throw new ResourceNotFound(this.resource);
    return id;
  }
}

/** The id in the path, of the resource named. */
export function ResourceId(resource: string, parameter = 'id'): ParameterDecorator {
  return Param(parameter, new ResourceIdPipe(resource));
}

const ETAG = /^(?:W\/)?"(\d{1,9})"$/;

/** The version that `If-Match` names; undefined where the caller does not ask for the check. */
export const IfMatch = createParamDecorator(
  (_data: unknown, execution: ExecutionContext): number | undefined => {
    const header = execution.switchToHttp().getRequest<Request>().headers['if-match'];
    if (header === undefined || header === '*') return undefined;
    const version = ETAG.exec(header)?.[1];
    if (version === undefined) {
      throw new InvalidRequest([
        { pointer: 'If-Match', detail: 'If-Match must be the ETag of a response, such as "3"' },
      ]);
    }
    return Number(version);
  },
  [
    (target, key) => {
      const descriptor = key === undefined ? undefined : Object.getOwnPropertyDescriptor(target, key);
      if (!descriptor || key === undefined) return;
      ApiHeader({
        name: 'If-Match',
        required: false,
        description: 'ETag of the version that the change is meant for.',
      })(target, key, descriptor);
    },
  ],
);

export class VersionMismatch extends AppError {
  readonly kind = 'precondition_failed';
  readonly code = 'VERSION_MISMATCH';
  constructor() {
    super('It was changed since you read it. Read it again and repeat the change.');
  }
}

/** The tenant of a public route, where one was named and exists. */
export const OptionalTenant = createParamDecorator(
  (_data: unknown, execution: ExecutionContext): RequestTenant | undefined => {
    return contextOf(execution.switchToHttp().getRequest<Request>()).tenant;
  },
);
