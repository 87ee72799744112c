import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import {
  FieldEncryption,
  KeysDestroyed,
  KeysRefused,
  KeysUnavailable,
  PersonErased,
  type Place,
} from '../encryption/index.js';
import {
  Cells,
  PLATFORM_TENANT,
  TenantDatabase,
  type RegistryTransaction,
  type TenantRef,
} from '../platform/database/index.js';
import { Residence } from '../tenancy/index.js';
import { LogClosed } from './append-group.js';
import {
  canonicalEvent,
  CLIENT_PLACE,
  newEventId,
  PERSONAL_PLACE,
  personActing,
  type AuditEvent,
  type CanonicalEvent,
  type Client,
  type SealedClient,
} from './audit-event.js';
import { AuditLog } from './audit-log.js';

/** Most calls of a moment come from few clients: each is encrypted once a while, not once a call. */
const CLIENTS_IN_MEMORY = 10_000;
const CLIENT_KEPT_MS = 15 * 60_000;

/** Puts events into a tenant's log: by themselves, or inside the transaction that they belong to. */
@Injectable()
export class EventRecorder {
  readonly #platform: TenantRef;
  readonly #clients = new LRUCache<string, SealedClient>({ max: CLIENTS_IN_MEMORY, ttl: CLIENT_KEPT_MS });

  constructor(
    private readonly log: AuditLog,
    private readonly database: TenantDatabase,
    private readonly encryption: FieldEncryption,
    private readonly residence: Residence,
    cells: Cells,
  ) {
    this.#platform = cells.home.tenant(PLATFORM_TENANT);
  }

  /** Resolves when the event is durable. Without a tenant it goes to the installation's own log. */
  async record(tenant: TenantRef | undefined, event: AuditEvent): Promise<void> {
    const owner = tenant ?? this.#platform;
    const canonical = await this.#canonical(owner, event);
    try {
      await this.log.append(owner, canonical);
    } catch (error) {
      if (!(error instanceof LogClosed)) throw error;
      // The tenant is moving at this moment: what was read here was true, and its event belongs where the log goes on.
      await this.log.append(await this.residence.settled(owner), canonical);
    }
  }

  /** Adds the event to the running transaction of the tenant in scope. */
  async recordInTransaction(tenant: TenantRef, event: AuditEvent): Promise<void> {
    const { bytes } = await this.#canonical(tenant, event);
    this.database.send({
      name: 'audit_outbox',
      text: 'INSERT INTO audit.outbox (event) VALUES ($1)',
      values: [bytes],
    });
  }

  /** Adds the event to a transaction on the registry, for the installation's own log: both are in the home database. */
  async recordInRegistry(registry: RegistryTransaction, event: AuditEvent): Promise<void> {
    const { bytes } = await this.#canonical(this.#platform, event);
    const text = 'INSERT INTO audit.outbox (tenant, event) VALUES ($1, $2)';
    await registry.query({ text, values: [this.#platform.id, bytes] });
  }

  /** The canonical bytes of an event that another database keeps until `deliver` puts it into the log. Personal parts are sealed. */
  async prepared(tenant: TenantRef, event: AuditEvent): Promise<Buffer> {
    return (await this.#canonical(tenant, event)).bytes;
  }

  /** Puts what was prepared, or a notice (see `canonicalNotice`), into the log, once however often it is called. False: it is not open here. */
  deliver(tenant: TenantRef, event: Buffer): Promise<boolean> {
    return this.log.appendOnce(tenant, event);
  }

  /** To be said after a commit that carried an event. */
  committed(tenant: TenantRef): void {
    this.log.outboxFilled(tenant.cell, tenant.id);
  }

  async #canonical(tenant: TenantRef, event: AuditEvent): Promise<CanonicalEvent> {
    const id = newEventId();
    try {
      return await this.#sealed(id, tenant, event);
    } catch (error) {
      if (!mayBeBare(error, event)) throw error;
      // What happened is told all the same; whom it concerns and from where cannot be kept.
      return canonicalEvent(id, tenant, event, undefined);
    }
  }

  /**
   * Each part is sealed under the key of the person whom it concerns: from where, of who acts; the rest, of who is the
   * event's subject. Of nobody known: under the tenant's.
   */
  async #sealed(id: string, tenant: TenantRef, event: AuditEvent): Promise<CanonicalEvent> {
    const { personal, client, subject } = event;
    const acting = personActing(event.actor);
    const sealed =
      personal &&
      (await this.#unlessErased(
        tenant,
        { ...PERSONAL_PLACE, row: id },
        personal,
        subject === null ? undefined : (subject ?? acting),
      ));
    const from = client && (await this.#client(tenant, client, acting ?? subject ?? undefined));
    return canonicalEvent(id, tenant, event, sealed, from);
  }

  async #client(
    tenant: TenantRef,
    client: Client,
    person: string | undefined,
  ): Promise<SealedClient | undefined> {
    const key = `${tenant.id} ${person ?? ''} ${client.ip} ${client.userAgent}`;
    const known = this.#clients.get(key);
    if (known) return known;
    const id = newEventId();
    const sealed = await this.#unlessErased(tenant, { ...CLIENT_PLACE, row: id }, client, person);
    const entry = sealed && { id, sealed: sealed.toString('base64') };
    if (entry) this.#clients.set(key, entry);
    return entry;
  }

  /** Nothing is kept of somebody who was erased while the request was served. */
  async #unlessErased(
    tenant: TenantRef,
    place: Place,
    value: unknown,
    person: string | undefined,
  ): Promise<Buffer | undefined> {
    try {
      return await this.encryption.sealJson(tenant, place, value, person);
    } catch (error) {
      if (error instanceof PersonErased) return undefined;
      throw error;
    }
  }
}

/** Without keys nothing succeeds; that it was refused or failed, and why, has to be told all the same. */
function mayBeBare(error: unknown, { outcome }: AuditEvent): boolean {
  if (error instanceof KeysDestroyed) return true;
  return outcome !== 'success' && (error instanceof KeysRefused || error instanceof KeysUnavailable);
}
