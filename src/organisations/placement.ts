import { Injectable } from '@nestjs/common';
import { Cells, type Cell } from '../platform/database/index.js';
import { AppError, InvalidRequest } from '../platform/http/errors.js';
import { TenantRegistry } from '../tenancy/index.js';

export class RegionFull extends AppError {
  readonly kind = 'unavailable';
  readonly code = 'REGION_FULL';
  constructor(region: string) {
    super(`Every cell of ${region} has the tenants that it takes. Add a cell to CELLS, or raise a capacity.`);
  }
}

/** Decides where a tenant goes: to the cell of its region that is the least full by its own capacity. */
@Injectable()
export class Placement {
  constructor(
    private readonly cells: Cells,
    private readonly tenants: TenantRegistry,
  ) {}

  /**
   * The emptiest cell of a region, left out one that it must not be.
   * @throws {InvalidRequest} for a region that there is none of; {RegionFull} when no cell of it takes any more.
   */
  async cellIn(region: string, except?: string): Promise<Cell> {
    const cells = this.cells.inRegion(region).filter(({ name }) => name !== except);
    if (cells.length === 0) {
      const detail = `region must be one of ${this.cells.regions.join(', ')}`;
      throw new InvalidRequest([{ pointer: '/region', detail }]);
    }
    const population = await this.tenants.population(region);
    const load = (cell: Cell): number => (population.get(cell.name) ?? 0) / cell.capacity;
    const [emptiest] = cells.toSorted((a, b) => load(a) - load(b) || a.name.localeCompare(b.name));
    if (!emptiest || load(emptiest) >= 1) throw new RegionFull(region);
    return emptiest;
  }
}
