import { Injectable } from '@nestjs/common';
import { EventRecorder, eventOfRequest, type AuditEvent } from '../audit/index.js';
import { announceInRegistry, Cells, PLATFORM_TENANT, type TenantId } from '../platform/database/index.js';
import {
  RegistryTransactions,
  type RegistryTransaction,
} from '../platform/database/registry-transactions.js';
import { currentRequest } from '../platform/http/request-context.js';

/**
 * The only way to change the registry of tenants: the change, its event in the installation's own log, and the word to
 * every process that the tenant has changed commit together, or none does.
 */
@Injectable()
export class RegistryWork {
  constructor(
    private readonly transactions: RegistryTransactions,
    private readonly events: EventRecorder,
    private readonly cells: Cells,
  ) {}

  /** One change of a request, which is the operator's. The event is the request's. */
  async run<T>(tenant: TenantId, work: (registry: RegistryTransaction) => Promise<T>): Promise<T> {
    const request = currentRequest();
    if (!request) throw new Error('No request is being served: use runAs() and say what happened.');
    if (request.recorded) throw new Error('This request has committed its unit of work already.');
    const result = await this.#commit(tenant, work, () => eventOfRequest(request, 'success'));
    request.recorded = true;
    return result;
  }

  /** One change that no request asked for, with the event that tells of it. */
  runAs<T>(
    tenant: TenantId,
    event: (result: T) => AuditEvent,
    work: (registry: RegistryTransaction) => Promise<T>,
  ): Promise<T> {
    return this.#commit(tenant, work, event);
  }

  /** A change that is no event of its own. Say in `reason` why; a reviewer reads it. */
  bookkeeping<T>(
    _reason: string,
    tenant: TenantId,
    work: (registry: RegistryTransaction) => Promise<T>,
  ): Promise<T> {
    return this.transactions.run(async (registry) => {
      const result = await work(registry);
      await registry.query(announceInRegistry({ kind: 'tenant', tenant, id: tenant }));
      return result;
    });
  }

  async #commit<T>(
    tenant: TenantId,
    work: (registry: RegistryTransaction) => Promise<T>,
    event: (result: T) => AuditEvent,
  ): Promise<T> {
    const owner = this.cells.home.tenant(PLATFORM_TENANT);
    const result = await this.transactions.run(async (registry) => {
      const done = await work(registry);
      await this.events.recordInRegistry(registry, event(done));
      await registry.query(announceInRegistry({ kind: 'tenant', tenant, id: tenant }));
      return done;
    });
    this.events.committed(owner);
    return result;
  }
}
