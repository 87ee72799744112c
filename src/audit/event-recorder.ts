import { Injectable } from '@nestjs/common';
import { FieldEncryption } from '../encryption/index.js';
import { Cells, PLATFORM_TENANT, TenantDatabase, type TenantRef } from '../platform/database/index.js';
import {
  canonicalEvent,
  newEventId,
  PERSONAL_PLACE,
  type AuditEvent,
  type CanonicalEvent,
} from './audit-event.js';
import { AuditLog } from './audit-log.js';

/** Puts events into a tenant's log: by themselves, or inside the transaction that they belong to. */
@Injectable()
export class EventRecorder {
  readonly #platform: TenantRef;

  constructor(
    private readonly log: AuditLog,
    private readonly database: TenantDatabase,
    private readonly encryption: FieldEncryption,
    cells: Cells,
  ) {
    this.#platform = { id: PLATFORM_TENANT, region: cells.home.region };
  }

  /** Resolves when the event is durable. Without a tenant it goes to the installation's own log. */
  async record(tenant: TenantRef | undefined, event: AuditEvent): Promise<void> {
    const owner = tenant ?? this.#platform;
    await this.log.append(owner, await this.#canonical(owner, event));
  }

  /** Adds the event to the running transaction of the tenant in scope. */
  async recordInTransaction(tenant: TenantRef, event: AuditEvent): Promise<void> {
    const { bytes } = await this.#canonical(tenant, event);
    await this.database.query({
      name: 'audit_outbox',
      text: 'INSERT INTO audit.outbox (event) VALUES ($1)',
      values: [bytes],
    });
  }

  /** To be said after a commit that carried an event. */
  committed(tenant: TenantRef): void {
    this.log.outboxFilled(tenant.region);
  }

  async #canonical(tenant: TenantRef, event: AuditEvent): Promise<CanonicalEvent> {
    const id = newEventId();
    const sealed =
      event.personal &&
      (await this.encryption.sealJson(tenant, { ...PERSONAL_PLACE, row: id }, event.personal));
    return canonicalEvent(id, tenant, event, sealed);
  }
}
