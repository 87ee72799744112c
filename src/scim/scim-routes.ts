import {
  applyDecorators,
  Catch,
  Injectable,
  UseFilters,
  UseGuards,
  type ArgumentsHost,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import type { Request } from 'express';
import { LRUCache } from 'lru-cache';
import { EventRecorder } from '../audit/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import { BODY_LIMIT_BYTES, bodyProblemOf } from '../platform/http/body.js';
import { asAppError } from '../platform/http/problem.js';
import { contextOf } from '../platform/http/request-context.js';
import { Log } from '../platform/observability/log.js';
import { FailedRequest } from '../requests/index.js';
import { Residence } from '../tenancy/index.js';
import { callOf } from './scim-call.js';
import { ScimRequests } from './scim-requests.js';

/** Refuses a body that could not be read, once it is known whose it is. */
@Injectable()
class ReadableBody implements CanActivate {
  canActivate(execution: ExecutionContext): true {
    const problem = bodyProblemOf(execution.switchToHttp().getRequest<Request>());
    if (problem) throw problem;
    return true;
  }
}

/** Of a directory that is over its limit one refusal is kept in so long: the limit is there to spare work. */
const LIMITED_EVERY_MS = 60_000;

/** Changes that were refused before they began, by their body, a limit or a permission, stand among the directory's requests as well. */
@Catch()
@Injectable()
class RefusedChange extends FailedRequest {
  readonly #limited = new LRUCache<string, true>({ max: 1_000, ttl: LIMITED_EVERY_MS });

  constructor(
    events: EventRecorder,
    residence: Residence,
    private readonly ownLog: Log,
    private readonly database: TenantDatabase,
    private readonly requests: ScimRequests,
  ) {
    super(events, ownLog, residence);
  }

  override async catch(thrown: unknown, host: ArgumentsHost): Promise<void> {
    try {
      await this.#keep(thrown, host.switchToHttp().getRequest<Request>());
    } catch (error) {
      // The event of the refusal tells of it all the same.
      this.ownLog.error('a refused request of a directory could not be kept', error);
    }
    return super.catch(thrown, host);
  }

  async #keep(thrown: unknown, http: Request): Promise<void> {
    const { tenant, actor, endpoint } = contextOf(http);
    if (!tenant || actor.type !== 'directory' || endpoint?.permission !== 'scim:write') return;
    if (asAppError(thrown, BODY_LIMIT_BYTES).kind === 'rate_limited') {
      if (this.#limited.has(actor.id)) return;
      this.#limited.set(actor.id, true);
    }
    await this.database.within(tenant, () => this.requests.refusedUnlessKept(thrown, callOf(http)));
  }
}

/** What routes that directories call have in common. */
export function ScimRoutes(): ClassDecorator {
  return applyDecorators(UseGuards(ReadableBody), UseFilters(RefusedChange));
}
