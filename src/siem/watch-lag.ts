import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { EventRecorder } from '../audit/index.js';
import { RepeatedWork } from '../platform/background/index.js';
import { RegionConfig } from '../platform/config/index.js';
import { Cells, tenantId, type Cell } from '../platform/database/index.js';
import { Gauges } from '../platform/observability/gauges.js';
import { Log } from '../platform/observability/log.js';
import { furthestBehind, lagging } from './delivery-lag.js';

const LOOK_MS = 60_000;
/** Who is further behind is told of, and again after the same time, until it has caught up. */
const TOLD_AFTER_SECONDS = 900;
const PER_LOOK = 100;

/** Tells of destinations that are far behind, whyever, in the log of their organisation: a rule makes an alert of it. */
@Injectable()
export class WatchLag implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #looking = new RepeatedWork(
    () => this.look(),
    LOOK_MS,
    (error) => this.log.error('how far deliveries are behind could not be looked at; it is repeated', error),
  );

  constructor(
    private readonly cells: Cells,
    private readonly events: EventRecorder,
    private readonly regions: RegionConfig,
    private readonly gauges: Gauges,
    private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    this.gauges.add({
      name: 'waxell_siem_lag_seconds',
      help: 'How far the destination that is furthest behind is behind its log.',
      label: 'cell',
      read: () =>
        Promise.all(
          this.#served().map(async (cell) => ({ of: cell.name, value: await furthestBehind(cell) })),
        ),
    });
    this.#looking.start();
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.#looking.stop();
  }

  #served(): Cell[] {
    return this.cells.all().filter(({ region }) => this.regions.serves(region));
  }

  async look(): Promise<void> {
    for (const cell of this.#served())
      for (const { tenant, destination, lagSeconds, error } of await lagging(
        cell,
        TOLD_AFTER_SECONDS,
        PER_LOOK,
      ))
        await this.events.record(cell.tenant(tenantId(tenant)), {
          action: 'audit.delivery_lagging',
          actor: { type: 'system', id: 'siem' },
          outcome: 'failure',
          resource: { type: 'audit_destination', id: destination },
          changes: { lagSeconds, ...(error !== null && { error }) },
        });
  }
}
