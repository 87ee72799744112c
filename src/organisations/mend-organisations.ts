import { Injectable } from '@nestjs/common';
import { Cells, Provisioning } from '../platform/database/index.js';
import { Log } from '../platform/observability/log.js';
import { TenantRegistry } from '../tenancy/index.js';

/** Older than any creation takes, so that one that another process has at work is left alone. */
const ABANDONED_AFTER_SECONDS = 120;

/**
 * Finishes or takes away what a crash has left of organisations that were being created. One whose owner was committed
 * is complete but for its activation; of any other, nobody was told anything, and it goes.
 */
@Injectable()
export class MendOrganisations {
  constructor(
    private readonly cells: Cells,
    private readonly tenants: TenantRegistry,
    private readonly provisioning: Provisioning,
    private readonly log: Log,
  ) {}

  /** @param alone whether no other process can be creating one: then everything unfinished is abandoned */
  async execute(alone: boolean): Promise<void> {
    const seconds = alone ? 0 : ABANDONED_AFTER_SECONDS;
    for (const tenant of await this.tenants.unfinished(seconds)) {
      if (!this.cells.has(tenant.cell)) continue;
      if (await this.provisioning.hasOwner(tenant)) {
        await this.tenants.activate(tenant.id);
        this.log.log(`Finished the creation of organisation ${tenant.slug}.`);
      } else {
        await this.provisioning.dropTenant(tenant);
        await this.tenants.forget(tenant.id);
        this.log.log(`Took away the unfinished organisation ${tenant.slug}; create it again.`);
      }
    }
    for (const { name } of this.cells.all()) await this.provisioning.dropAbandonedSpares(name, seconds);
  }
}
