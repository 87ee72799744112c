import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { contextOf } from '../platform/http/request-context.js';
import type { Fields } from './protocol/evaluate-filter.js';

/** What a request of a directory says beside its body. */
export interface ScimCall {
  readonly directoryId: string;
  readonly query: Fields;
  readonly ifMatch?: string;
  /** `X-Waxell-Dry-Run: true`: what would be changed is answered, and nothing is. */
  readonly dryRun: boolean;
}

export const Call = createParamDecorator((_data: unknown, execution: ExecutionContext): ScimCall => {
  const http = execution.switchToHttp().getRequest<Request>();
  const ifMatch = http.headers['if-match'];
  return {
    directoryId: contextOf(http).actor.id,
    query: http.query as Fields,
    ...(ifMatch !== undefined && { ifMatch }),
    dryRun: http.headers['x-waxell-dry-run'] === 'true',
  };
});
