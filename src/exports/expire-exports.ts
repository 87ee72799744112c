import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { RepeatedWork } from '../platform/background/index.js';
import { RegionConfig } from '../platform/config/index.js';
import { Cells, tenantId, type Cell } from '../platform/database/index.js';
import { Log } from '../platform/observability/log.js';
import { ExportParts } from './export-parts.js';
import { ExportRows } from './export-rows.js';

const LOOK_MS = 600_000;
const PAGE = 50;

/** Takes away exports whose time is over, in every process: first the content, and what is known of it last. */
@Injectable()
export class ExpireExports implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #looking = new RepeatedWork(
    (stopping) => this.round(stopping),
    LOOK_MS,
    (error) => this.log.error('expired exports could not be taken away; it is repeated', error),
  );

  constructor(
    private readonly cells: Cells,
    private readonly rows: ExportRows,
    private readonly parts: ExportParts,
    private readonly regions: RegionConfig,
    private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    this.#looking.start();
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.#looking.stop();
  }

  /** Something has just expired that is not to wait. */
  soon(): void {
    this.#looking.now();
  }

  async round(stopping: AbortSignal): Promise<void> {
    for (const cell of this.cells.all().filter(({ region }) => this.regions.serves(region)))
      while ((await this.#page(cell, stopping)) === PAGE);
  }

  async #page(cell: Cell, stopping: AbortSignal): Promise<number> {
    const expired = await this.rows.expired(cell, PAGE);
    for (const { id, tenant } of expired) {
      const owner = cell.tenant(tenantId(tenant));
      await this.parts.discard(owner, id, stopping);
      await this.rows.remove(owner, id);
    }
    return expired.length;
  }
}
