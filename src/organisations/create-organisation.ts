import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { eventOfRequest, type AuditEvent } from '../audit/index.js';
import { Users } from '../auth/index.js';
import { KeyRing } from '../encryption/index.js';
import { RegionConfig } from '../platform/config/index.js';
import {
  Cells,
  type Cell,
  Provisioning,
  TenantDatabase,
  type TenantId,
  type TenantRef,
} from '../platform/database/index.js';
import { auditDetails, currentRequest } from '../platform/http/request-context.js';
import { PasswordHashing, PasswordPolicy } from '../passwords/index.js';
import { UnitOfWork } from '../requests/index.js';
import { requireServedRegion, SlugTaken, TenantRegistry, type Tenant } from '../tenancy/index.js';
import { Placement } from './placement.js';

const INSTALLATION_LOCK = 7_283_004;

export interface NewOrganisation {
  readonly slug: string;
  readonly name: string;
  readonly region?: string;
  readonly owner: { readonly email: string; readonly password?: string; readonly displayName?: string };
}

export interface CreatedOrganisation {
  readonly tenant: Tenant;
  readonly owner: { readonly id: string; readonly email: string; readonly password?: string };
}

/**
 * An organisation with its schema, keys and owner. It is claimed first and active last; what a crash leaves between is
 * taken away by `MendOrganisations` at the next start, so a slug is never lost.
 */
@Injectable()
export class CreateOrganisation {
  constructor(
    private readonly cells: Cells,
    private readonly placement: Placement,
    private readonly provisioning: Provisioning,
    private readonly tenants: TenantRegistry,
    private readonly keys: KeyRing,
    private readonly database: TenantDatabase,
    private readonly users: Users,
    private readonly policy: PasswordPolicy,
    private readonly hashing: PasswordHashing,
    private readonly work: UnitOfWork,
    private readonly regions: RegionConfig,
  ) {}

  async execute({
    slug,
    name,
    region = this.cells.home.region,
    owner,
  }: NewOrganisation): Promise<CreatedOrganisation> {
    requireServedRegion(this.regions, region);
    if (owner.password !== undefined) await this.policy.require(owner.password, owner, '/owner/password');
    const cell = await this.placement.cellIn(region);
    const generated = owner.password === undefined ? randomBytes(18).toString('base64url') : undefined;
    const passwordHash = await this.hashing.hash(owner.password ?? generated ?? '');
    const ref = await this.#claim(cell, { slug, name });
    const ownerId = await this.#build(ref, { slug, name }, { ...owner, passwordHash });
    const tenant = await this.tenants.activate(ref.id);
    return { tenant, owner: { id: ownerId, email: owner.email, ...(generated && { password: generated }) } };
  }

  /** A slug, and the id of a tenant that is built already, if one is ready. What a crash leaves claimed is dropped. */
  async #claim(cell: Cell, named: Pick<Tenant, 'slug' | 'name'>): Promise<TenantRef> {
    const tenant = cell.tenant(await this.provisioning.claimId(cell.name));
    try {
      await this.tenants.claim({ ...tenant, ...named });
    } catch (error) {
      // Of any other failure it is not known whether the registry has the id now.
      if (error instanceof SlugTaken) await this.provisioning.giveBackId(tenant);
      throw error;
    }
    return tenant;
  }

  /** Gives the installation's own tenant its schema and keys, where it has none yet. */
  async installation(id: TenantId): Promise<void> {
    const tenant = this.cells.home.tenant(id);
    await this.provisioning.createTenant(tenant);
    // Processes that start together: one makes the keys. A tenant's role may take no lock that others wait for.
    const lock = await this.cells.home.control.connect();
    try {
      await lock.query('BEGIN');
      await lock.query('SELECT pg_advisory_xact_lock($1)', [INSTALLATION_LOCK]);
      await this.database.within(tenant, () => this.#installationKeys(tenant));
    } finally {
      await lock.query('ROLLBACK').catch(() => undefined);
      lock.release();
    }
  }

  async #installationKeys(tenant: TenantRef): Promise<void> {
    const text = 'SELECT 1 FROM encryption_keys LIMIT 1';
    if ((await this.database.query({ text, values: [] })).length > 0) return;
    const keys = await this.keys.provision(tenant);
    await this.work.bookkeeping('the log needs these keys before it can hold an event', async () => {
      for (const statement of keys) await this.database.query(statement);
    });
  }

  async #build(
    tenant: TenantRef,
    { slug, name }: Pick<Tenant, 'slug' | 'name'>,
    owner: { email: string; passwordHash: string; displayName?: string },
  ): Promise<string> {
    await this.provisioning.createTenant(tenant);
    const keys = await this.keys.provision(tenant);
    return this.database.within(tenant, async () => {
      await this.work.bookkeeping('the event of the creation is encrypted with these keys', async () => {
        for (const statement of keys) await this.database.query(statement);
      });
      return this.work.runAs(
        (ownerId: string) => created(tenant.id, { slug, name, region: tenant.region, owner: ownerId }),
        async () => (await this.users.insert({ ...owner, role: 'Owner' })).id,
      );
    });
  }
}

/** The first event of a tenant's log; where an operator asked for it, with the request's particulars. */
function created(id: string, changes: Record<string, unknown>): AuditEvent {
  const details = { resource: { type: 'tenant', id }, changes };
  const request = currentRequest();
  if (!request)
    return {
      action: 'tenant.created',
      actor: { type: 'system', id: 'first-start' },
      outcome: 'success',
      ...details,
    };
  auditDetails(details);
  const event = { ...eventOfRequest(request, 'success'), ...details };
  // The request is told to the installation's log too, in the home region: who the owner is, is for the region's own.
  request.body = undefined;
  return event;
}
