import { Injectable } from '@nestjs/common';
import { MoveLog } from '../audit/index.js';
import { MoveKeys } from '../encryption/index.js';
import { Cells, Provisioning, type TenantRef } from '../platform/database/index.js';
import { forgetPause, withMoveSession } from '../platform/database/moving/index.js';
import { MoveObjects } from '../platform/objects/index.js';
import { MoveRuns } from '../runs/index.js';
import { TenantRegistry } from '../tenancy/index.js';

/** Takes away everything that a cell has of a tenant that does not live there. */
@Injectable()
export class ClearCell {
  constructor(
    private readonly cells: Cells,
    private readonly tenants: TenantRegistry,
    private readonly provisioning: Provisioning,
    private readonly keys: MoveKeys,
    private readonly log: MoveLog,
    private readonly runs: MoveRuns,
    private readonly objects: MoveObjects,
  ) {}

  /**
   * May be repeated, also half done.
   * @param kmsKeys keys to be destroyed beyond those that are found there
   * @throws when the tenant does live there, by the registry
   */
  async execute(tenant: TenantRef, kmsKeys: readonly string[] = []): Promise<void> {
    const { id, cell } = tenant;
    if ((await this.tenants.current(id))?.cell === cell)
      throw new Error(`${id} lives in ${cell}: nothing of it is taken away there.`);
    await withMoveSession(this.cells.of(cell), id, async (client) => {
      await this.keys.condemn(cell, [...kmsKeys, ...(await this.keys.kmsKeysOf(client, id))]);
      await this.runs.remove(client, cell, id);
      await this.log.remove(client, id);
      await this.objects.remove(tenant);
      await this.provisioning.dropTenant(tenant);
      await forgetPause(client, id);
    });
  }
}
