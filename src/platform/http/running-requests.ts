import { Injectable } from '@nestjs/common';
import type { RequestContext } from './request-context.js';

/** The requests that this process is serving, so that what ends a credential ends them too. */
@Injectable()
export class RunningRequests {
  readonly #running = new Set<RequestContext>();

  begin(request: RequestContext): void {
    this.#running.add(request);
  }

  end(request: RequestContext): void {
    this.#running.delete(request);
  }

  all(): IterableIterator<RequestContext> {
    return this.#running.values();
  }

  /** Ends those whose credential is dead: streams are cut at once, others are refused before they change or tell anything. */
  revoke(concerned: (request: RequestContext) => boolean): void {
    for (const request of this.#running) {
      if (request.revoked || !concerned(request)) continue;
      request.revoked = true;
      request.onRevoked?.();
    }
  }
}
