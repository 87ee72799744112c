import { Injectable } from '@nestjs/common';
import { EventRecorder, eventOfRequest, type AuditEvent } from '../audit/index.js';
import { currentTenant } from '../platform/database/index.js';
import { TenantTransactions } from '../platform/database/tenant-transactions.js';
import { CredentialRevoked } from '../platform/http/errors.js';
import { currentRequest, type RequestContext } from '../platform/http/request-context.js';
import { Residence } from '../tenancy/index.js';
import { Idempotency } from './idempotency.js';
import { repeated } from './repeated.js';

/**
 * The only way to write to a tenant's tables: what is changed and the event that tells of it commit together, or
 * neither does. What PostgreSQL has taken back for the sake of another transaction is done again: `work` may run several
 * times, and what it does outside of the database must bear that. Serving a request, the event is the request's; what `work` returns is the response.
 */
@Injectable()
export class UnitOfWork {
  constructor(
    private readonly transactions: TenantTransactions,
    private readonly events: EventRecorder,
    private readonly idempotency: Idempotency,
    private readonly residence: Residence,
  ) {}

  /** One change of a request. A request has one unit of work, because it has one event. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    const request = currentRequest();
    if (!request) throw new Error('No request is being served: use runAs() and say what happened.');
    if (request.recorded) throw new Error('This request has committed its unit of work already.');
    return this.#commit(
      work,
      async (result) => {
        // Whoever may not act any more has done nothing.
        if (request.revoked) throw new CredentialRevoked();
        // The operator's requests have no tenant in which an answer could be found again.
        if (request.tenant) await this.idempotency.remember(request, result);
        await this.events.recordInTransaction(currentTenant(), this.#ofRequest(request));
      },
      () => {
        request.recorded = true;
      },
    );
  }

  /** One change that no request asked for, with the event that tells of it. */
  async runAs<T>(event: (result: T) => AuditEvent, work: () => Promise<T>): Promise<T> {
    return this.#commit(work, (result) => this.events.recordInTransaction(currentTenant(), event(result)));
  }

  /**
   * A change that is no event of its own, such as the progress of a run whose start and end are events. Say in `reason`
   * why; a reviewer reads it.
   */
  async bookkeeping<T>(_reason: string, work: () => Promise<T>): Promise<T> {
    this.residence.requireWritable(currentTenant());
    if (this.transactions.active) return work();
    return repeated(() => this.transactions.run(work));
  }

  async #commit<T>(
    work: () => Promise<T>,
    record: (result: T) => Promise<void>,
    committed?: () => void,
  ): Promise<T> {
    if (this.transactions.active)
      throw new Error('A unit of work is running already; do the change inside it.');
    this.residence.requireWritable(currentTenant());
    const result = await repeated(() =>
      this.transactions.run(async () => {
        const done = await work();
        await record(done);
        return done;
      }),
    );
    committed?.();
    this.events.committed(currentTenant());
    return result;
  }

  #ofRequest(request: RequestContext): AuditEvent {
    return eventOfRequest(request, 'success');
  }
}
