import { Injectable } from '@nestjs/common';
import { eventOfRequest } from '../audit/index.js';
import type { TenantId, TenantRef } from '../platform/database/index.js';
import { AppError } from '../platform/http/errors.js';
import { auditDetails, currentRequest } from '../platform/http/request-context.js';
import { JsonLines } from '../platform/http/streamed-answer.js';
import { RegistryWork } from '../requests/index.js';
import { ExportOrganisation } from './export-organisation.js';
import { ExportStore } from './export-store.js';
import { KnownOrganisations } from './known-organisations.js';
import { TellTenant } from './tell-tenant.js';

export class NoExport extends AppError {
  readonly kind = 'not_found';
  readonly code = 'NO_EXPORT';
  constructor() {
    super(
      'There is no export of this organisation. One is written when its deletion begins, if there is a grace.',
    );
  }
}

export class ExportNotReady extends AppError {
  readonly kind = 'conflict';
  readonly code = 'EXPORT_NOT_READY';
  constructor() {
    super('The export is being written. Ask again in a while; the operator sees it in .../operations.');
  }
}

/** Hands out the export of an organisation that is being deleted: to the operator, and to its owner. */
@Injectable()
export class ReadExport {
  constructor(
    private readonly exports: ExportOrganisation,
    private readonly store: ExportStore,
    private readonly known: KnownOrganisations,
    private readonly work: RegistryWork,
    private readonly tell: TellTenant,
  ) {}

  /** That the operator took it along is told to the organisation too. */
  async byOperator(id: TenantId): Promise<JsonLines> {
    auditDetails({ resource: { type: 'tenant', id } });
    const tenant = await this.known.require(id);
    const answer = await this.byOwner(tenant);
    await this.work.run(id, async (registry) => {
      const request = currentRequest();
      if (request) await this.tell.note(registry, tenant, eventOfRequest(request, 'success'));
    });
    return answer;
  }

  async byOwner(tenant: TenantRef): Promise<JsonLines> {
    auditDetails({ resource: { type: 'tenant', id: tenant.id } });
    const written = await this.exports.latest(tenant.id);
    if (!written || (await this.known.require(tenant.id)).status !== 'deleting') throw new NoExport();
    if (written.status !== 'done') throw new ExportNotReady();
    return new JsonLines(`${tenant.id}.jsonl`, () => this.store.read(tenant, written.id));
  }
}
