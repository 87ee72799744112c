import { Injectable } from '@nestjs/common';
import { Cells, tenantId, type RegistryTransaction, type TenantId } from '../platform/database/index.js';
import { RegistryWork } from '../requests/index.js';
import { DomainTaken } from './domains.errors.js';

/**
 * Which domain is verified for which organisation. This, in the home database, is the truth: a row in an organisation's
 * schema says only that somebody there has named the domain. Whatever a crash leaves half done is a claim that is made, or
 * not; both may be repeated.
 */
@Injectable()
export class DomainRegistry {
  constructor(
    private readonly cells: Cells,
    private readonly work: RegistryWork,
  ) {}

  /** Takes a domain whose DNS was just looked at. @throws {DomainTaken} */
  claim(tenant: TenantId, name: string, by: string): Promise<void> {
    return this.work.runAs(
      tenant,
      () => ({
        action: 'domain.claimed',
        actor: { type: 'system', id: 'domains', onBehalfOf: by },
        outcome: 'success',
        resource: { type: 'tenant', id: tenant },
        changes: { domain: name },
      }),
      async (registry) => {
        const { rows } = await registry.query<{ tenant: string }>({
          text: `INSERT INTO control.domains (name, tenant) VALUES ($1, $2)
            ON CONFLICT (name) DO NOTHING RETURNING tenant`,
          values: [name, tenant],
        });
        if (rows.length === 0 && (await this.#holder(registry, name)) !== tenant) throw new DomainTaken();
      },
    );
  }

  /** Lets go of a domain. One that the tenant does not hold stays whose it is. */
  release(tenant: TenantId, name: string, by: string): Promise<void> {
    return this.work.runAs(
      tenant,
      () => ({
        action: 'domain.released',
        actor: { type: 'system', id: 'domains', onBehalfOf: by },
        outcome: 'success',
        resource: { type: 'tenant', id: tenant },
        changes: { domain: name },
      }),
      async (registry) => {
        const text = 'DELETE FROM control.domains WHERE name = $1 AND tenant = $2';
        await registry.query({ text, values: [name, tenant] });
      },
    );
  }

  /** For whom a domain is verified. */
  async holder(name: string): Promise<TenantId | undefined> {
    const { rows } = await this.cells.home.control.query<{ tenant: string }>({
      name: 'domain_holder',
      text: 'SELECT tenant FROM control.domains WHERE name = $1',
      values: [name],
    });
    return rows[0] && tenantId(rows[0].tenant);
  }

  /** Since when each of a tenant's domains is verified. */
  async heldBy(tenant: TenantId): Promise<ReadonlyMap<string, Date>> {
    const { rows } = await this.cells.home.control.query<{ name: string; verified_at: Date }>(
      'SELECT name, verified_at FROM control.domains WHERE tenant = $1',
      [tenant],
    );
    return new Map(rows.map(({ name, verified_at }) => [name, verified_at]));
  }

  async #holder(registry: RegistryTransaction, name: string): Promise<string | undefined> {
    const text = 'SELECT tenant FROM control.domains WHERE name = $1';
    return (await registry.query<{ tenant: string }>({ text, values: [name] })).rows[0]?.tenant;
  }
}
