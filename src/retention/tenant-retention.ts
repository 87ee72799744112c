import { Injectable } from '@nestjs/common';
import type { AuditEvent } from '../audit/index.js';
import { RetentionConfig } from '../platform/config/index.js';
import { Cells, type RegistryTransaction } from '../platform/database/index.js';
import type { AuditAction } from '../platform/events/index.js';
import { InvalidRequest, ResourceNotFound, type FieldError } from '../platform/http/errors.js';
import { VersionMismatch } from '../platform/http/parameters.js';
import { auditDetails, currentRequest, type RequestTenant } from '../platform/http/request-context.js';
import { RegistryWork } from '../requests/index.js';
import { LegalHolds } from './legal-holds.js';
import { RetentionKeeper } from './retention-keeper.js';
import { RetentionPolicy } from './retention-policy.js';
import type { ReplaceRetentionDto, RequestBodiesDto, RetentionDto } from './retention.dto.js';

interface Row extends Record<string, unknown> {
  hot_days: number | null;
  cold_days: number | null;
  version: number;
}

/** What an organisation sets for its own log: how long it is kept, and that nothing of it may go. */
@Injectable()
export class TenantRetention {
  constructor(
    private readonly cells: Cells,
    private readonly config: RetentionConfig,
    private readonly policy: RetentionPolicy,
    private readonly holds: LegalHolds,
    private readonly work: RegistryWork,
    private readonly keeper: RetentionKeeper,
  ) {}

  async read(tenant: RequestTenant): Promise<RetentionDto> {
    const { rows } = await this.cells.home.control.query<Row>(
      'SELECT hot_days, cold_days, version FROM control.log_retention WHERE tenant = $1',
      [tenant.id],
    );
    const [row] = rows;
    const [{ hotDays, coldDays }, hold] = [await this.policy.of(tenant.id), await this.holds.of(tenant)];
    return {
      hotDays: row?.hot_days ?? null,
      coldDays: row?.cold_days ?? null,
      effective: { hotDays, coldDays },
      longest: { ...this.config.longest },
      ...(hold && { legalHold: { since: hold.since.toISOString(), by: hold.by, reason: hold.reason } }),
      version: row?.version ?? 0,
    };
  }

  async replace(
    tenant: RequestTenant,
    days: ReplaceRetentionDto,
    version: number | undefined,
  ): Promise<RetentionDto> {
    this.#refuseUnfit(days);
    const { hotDays, coldDays } = days;
    auditDetails({ resource: { type: 'tenant', id: tenant.id }, changes: { hotDays, coldDays } });
    await this.#change(tenant, 'audit_retention.updated', { hotDays, coldDays }, async (registry) => {
      const found = await registry.query<Row>({
        text: 'SELECT hot_days, cold_days, version FROM control.log_retention WHERE tenant = $1',
        values: [tenant.id],
      });
      if (version !== undefined && version !== (found.rows[0]?.version ?? 0)) throw new VersionMismatch();
      await registry.query({
        text: `INSERT INTO control.log_retention AS r (tenant, hot_days, cold_days, version) VALUES ($1, $2, $3, 1)
          ON CONFLICT (tenant) DO UPDATE SET hot_days = $2, cold_days = $3, version = r.version + 1`,
        values: [tenant.id, hotDays, coldDays],
      });
    });
    return this.read(tenant);
  }

  /** From now on, in every process that has heard of it. */
  async recordBodies(
    tenant: RequestTenant,
    { recorded, withheld: names = [] }: RequestBodiesDto,
  ): Promise<RequestBodiesDto> {
    const withheld = [...new Set(names.map((name) => name.toLowerCase()))];
    const changes = { recorded, ...(withheld.length > 0 && { withheld }) };
    auditDetails({ resource: { type: 'tenant', id: tenant.id }, changes });
    await this.#change(tenant, 'audit_request_bodies.updated', changes, async (registry) => {
      const text = 'UPDATE control.tenants SET request_bodies = $2, withheld_fields = $3 WHERE id = $1';
      await registry.query({ text, values: [tenant.id, recorded, withheld] });
    });
    return { recorded, withheld };
  }

  async hold(tenant: RequestTenant, reason: string): Promise<RetentionDto> {
    auditDetails({ resource: { type: 'tenant', id: tenant.id }, personal: { reason }, subject: null });
    await this.#change(tenant, 'legal_hold.set', {}, (registry) =>
      this.holds.set(registry, tenant, 'owner', reason),
    );
    return this.read(tenant);
  }

  /** The reason is in the event. */
  async lift(tenant: RequestTenant, reason: string): Promise<RetentionDto> {
    auditDetails({ resource: { type: 'tenant', id: tenant.id }, personal: { reason }, subject: null });
    await this.#change(tenant, 'legal_hold.lifted', {}, (registry) =>
      this.holds.lift(registry, tenant, 'owner'),
    );
    return this.read(tenant);
  }

  /**
   * With an event for the installation's log, in the home region: what was set, and nothing of who did it. That is in the
   * organisation's own log, in its own region, before the answer leaves; the two name the same request.
   */
  async #change(
    tenant: RequestTenant,
    action: AuditAction,
    changes: Record<string, unknown>,
    work: (registry: RegistryTransaction) => Promise<void>,
  ): Promise<void> {
    const request = currentRequest();
    if (!request) throw new Error('No request is being served.');
    const event = (): AuditEvent => ({
      action,
      actor: { type: 'system', id: 'registry' },
      outcome: 'success',
      resource: { type: 'tenant', id: tenant.id },
      changes,
      request: { id: request.requestId, method: request.method, path: request.path },
    });
    await this.work.runAs(tenant.id, event, async (registry) => {
      const text = 'SELECT 1 FROM control.tenants WHERE id = $1 FOR UPDATE';
      if ((await registry.query({ text, values: [tenant.id] })).rows.length === 0)
        throw new ResourceNotFound('organisation');
      await work(registry);
    });
    this.keeper.look();
  }

  #refuseUnfit(days: ReplaceRetentionDto): void {
    const errors: FieldError[] = [];
    for (const name of ['hotDays', 'coldDays'] as const) {
      const [value, least, most] = [days[name], this.config[name], this.config.longest[name]];
      if (value !== null && (value < least || value > most))
        errors.push({ pointer: `/${name}`, detail: `${name} must be between ${least} and ${most}, or null` });
    }
    const { hotDays, coldDays } = { ...this.config, ...withoutNulls(days) };
    if (hotDays >= coldDays)
      errors.push({
        pointer: '/coldDays',
        detail: 'coldDays must be above hotDays: both count from the same day',
      });
    if (errors.length > 0) throw new InvalidRequest(errors);
  }
}

function withoutNulls({ hotDays, coldDays }: ReplaceRetentionDto): { hotDays?: number; coldDays?: number } {
  return { ...(hotDays !== null && { hotDays }), ...(coldDays !== null && { coldDays }) };
}
