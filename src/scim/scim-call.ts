import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { contextOf } from '../platform/http/request-context.js';
import type { Fields } from './protocol/evaluate-filter.js';
import { ScimError } from './protocol/scim.errors.js';

/** Who has a kept request run again, and which. */
export interface Replay {
  readonly of: string;
  readonly by: string;
  /** Called with the entry that the log has of it. */
  readonly logged: (id: string) => void;
}

/** What a request of a directory says beside its body. */
export interface ScimCall {
  readonly directoryId: string;
  /** The client of OAuth that speaks for it, if one does. */
  readonly clientId?: string | undefined;
  readonly query: Fields;
  readonly ifMatch?: string;
  /** `X-Waxell-Dry-Run: true`: what would be changed is answered, and nothing is. */
  readonly dryRun: boolean;
  /** Of which kept request it is another try. */
  readonly replay?: Replay;
}

export const Call = createParamDecorator((_data: unknown, execution: ExecutionContext): ScimCall => {
  const http = execution.switchToHttp().getRequest<Request>();
  const said = dryRunIn(http);
  // What is neither is refused: a trial that was misspelt must not turn out to have been the real thing.
  if (said !== undefined && said !== 'true' && said !== 'false')
    throw new ScimError(
      'invalidValue',
      'The header X-Waxell-Dry-Run must be true or false. Nothing was done.',
    );
  return callOf(http);
});

/** The same of a request that may have been refused for how it was said. */
export function callOf(http: Request): ScimCall {
  const ifMatch = http.headers['if-match'];
  const { id, clientId } = contextOf(http).actor;
  return {
    directoryId: id,
    clientId,
    query: http.query as Fields,
    ...(ifMatch !== undefined && { ifMatch }),
    dryRun: (dryRunIn(http) ?? 'false') !== 'false',
  };
}

function dryRunIn({ headers }: Request): string | undefined {
  const said = headers['x-waxell-dry-run'];
  return said === undefined ? undefined : String(said).trim().toLowerCase();
}
