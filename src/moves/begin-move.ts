import { Injectable } from '@nestjs/common';
import { OperationRunner, Operations, OperationUnderWay, type Operation } from '../operations/index.js';
import { Placement } from '../organisations/index.js';
import { Cells, type Cell, type RegistryTransaction, type TenantId } from '../platform/database/index.js';
import { InvalidRequest, ResourceNotFound } from '../platform/http/errors.js';
import { auditDetails } from '../platform/http/request-context.js';
import { RegistryWork } from '../requests/index.js';
import { TenantRegistry, type Tenant } from '../tenancy/index.js';
import { MOVE, NO_PROGRESS, type MoveData } from './move.js';
import type { MoveDto } from './moves.dto.js';
import { CellFull, NotCancellable, RegionNotConfirmed, SameCell, TenantNotActive } from './moves.errors.js';

/** Begins a tenant's move to another cell, and lets go of one. */
@Injectable()
export class BeginMove {
  constructor(
    private readonly cells: Cells,
    private readonly tenants: TenantRegistry,
    private readonly placement: Placement,
    private readonly operations: Operations,
    private readonly runner: OperationRunner,
    private readonly work: RegistryWork,
  ) {}

  async execute(id: TenantId, asked: MoveDto): Promise<Operation> {
    const tenant = await this.tenants.current(id);
    if (!tenant) throw new ResourceNotFound('organisation');
    const target = await this.#target(tenant, asked);
    auditDetails({ resource: { type: 'tenant', id }, changes: { from: tenant.cell, to: target.name } });
    if (target.region !== tenant.region && asked.confirmRegion !== target.region)
      throw new RegionNotConfirmed(target.region);
    const data: MoveData = {
      from: tenant.cell,
      to: target.name,
      pauseSeconds: asked.pauseSeconds,
      keepSeconds: asked.keepSeconds,
      progress: NO_PROGRESS,
    };
    const operation = await this.work.run(id, (registry) => this.#begin(registry, tenant, data));
    this.runner.nudge();
    return this.#read(id, operation);
  }

  /** Leaves a move that is not cut over yet: what is done of it will be undone. */
  async cancel(id: TenantId, operationId: string): Promise<Operation> {
    const operation = await this.#read(id, operationId);
    auditDetails({ resource: { type: 'tenant', id }, changes: { operation: operationId } });
    await this.work.run(id, async (registry) => {
      const { rowCount } = await registry.query({
        text: 'UPDATE control.tenants SET move_cancelled = true WHERE id = $1 AND move_id = $2',
        values: [id, operation.id],
      });
      if (rowCount === 0) throw new NotCancellable();
      await this.operations.hasten(registry, operation.id);
    });
    this.runner.nudge();
    return this.#read(id, operationId);
  }

  async #read(id: TenantId, operationId: string): Promise<Operation> {
    const operation = await this.operations.byId(id, operationId);
    if (!operation) throw new ResourceNotFound('operation');
    return operation;
  }

  async #target(tenant: Tenant, { cell, region }: MoveDto): Promise<Cell> {
    if ((cell === undefined) === (region === undefined))
      throw new InvalidRequest([{ pointer: '/cell', detail: 'name either a cell or a region' }]);
    const target = cell === undefined ? await this.#inRegion(tenant, region ?? '') : this.#named(cell);
    if (target.name === tenant.cell) throw new SameCell(target.name);
    const population = await this.tenants.population(target.region);
    if ((population.get(target.name) ?? 0) >= target.capacity) throw new CellFull(target.name);
    return target;
  }

  #named(cell: string): Cell {
    if (this.cells.has(cell)) return this.cells.of(cell);
    const known = this.cells.all().map(({ name }) => name);
    throw new InvalidRequest([{ pointer: '/cell', detail: `cell must be one of ${known.join(', ')}` }]);
  }

  /** The emptiest cell of the region that is not the tenant's own. */
  async #inRegion(tenant: Tenant, region: string): Promise<Cell> {
    const others = this.cells.inRegion(region).filter(({ name }) => name !== tenant.cell);
    if (others.length === 0 && region === tenant.region) throw new SameCell(tenant.cell);
    return this.placement.cellIn(region, tenant.cell);
  }

  /** Under the lock of the tenant's row: what is asked for at the same time waits, and is refused. */
  async #begin(registry: RegistryTransaction, tenant: Tenant, data: MoveData): Promise<string> {
    const { rows } = await registry.query<{ status: string; cell: string; kind: string | null }>({
      text: `SELECT t.status, t.cell,
          (SELECT kind FROM control.operations WHERE tenant = t.id AND status = 'running' LIMIT 1) AS kind
        FROM control.tenants t WHERE t.id = $1 FOR UPDATE`,
      values: [tenant.id],
    });
    const [found] = rows;
    if (!found) throw new ResourceNotFound('organisation');
    if (found.kind !== null) throw new OperationUnderWay(found.kind);
    if (found.status !== 'active') throw new TenantNotActive(found.status);
    // Moved since it was looked up.
    if (found.cell !== data.from) throw new SameCell(found.cell);
    const operation = await this.operations.start(registry, {
      kind: MOVE,
      tenant: tenant.id,
      step: 'prepare',
      data,
    });
    await registry.query({
      text: 'UPDATE control.tenants SET move_id = $2, moving_to = $3, move_cancelled = false WHERE id = $1',
      values: [tenant.id, operation, data.to],
    });
    return operation;
  }
}
