import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { KeysDestroyed } from '../encryption/index.js';
import { RepeatedWork } from '../platform/background/index.js';
import { RegionConfig, WorkerConfig } from '../platform/config/index.js';
import { Cells, TenantDatabase, tenantId, type Cell, type TenantRef } from '../platform/database/index.js';
import { Log } from '../platform/observability/log.js';
import { TenantMoving } from '../tenancy/index.js';
import { EscalateAlerts } from './escalate-alerts.js';
import { DeliverNotifications } from './deliver-notifications.js';
import { Notifications } from './notifications.js';

const POLL_MS = 1_000;
/** A visit that has not ended by then is begun anew by whoever looks next. */
const VISIT_SECONDS = 120;
const TENANTS_PER_ROUND = 20;
const AT_ONCE = 4;

/** Visits tenants whose alerts are due: to be told, or to be escalated. Of many processes, one visits a tenant at a time. */
@Injectable()
export class AttendAlerts implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #rounds = new RepeatedWork(
    () => this.round(),
    POLL_MS,
    (error) => this.log.error('alerts could not be attended to; it is repeated', error),
  );

  constructor(
    private readonly cells: Cells,
    private readonly database: TenantDatabase,
    private readonly escalate: EscalateAlerts,
    private readonly deliver: DeliverNotifications,
    private readonly notifications: Notifications,
    private readonly regions: RegionConfig,
    private readonly worker: WorkerConfig,
    private readonly log: Log,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    // Visits that a process began that is not there any more.
    if (this.worker.alone)
      for (const cell of this.#served()) await cell.control.query('UPDATE work.alerts SET due_at = now()');
    this.#rounds.start();
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.#rounds.stop();
  }

  /** One visit to each tenant that is due. */
  async round(): Promise<void> {
    for (const cell of this.#served()) {
      const next = (await takeDue(cell)).values();
      const worker = async (): Promise<void> => {
        for (const { tenant, due_at: due } of next)
          await this.#visit(cell, cell.tenant(tenantId(tenant)), due);
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
    }
  }

  #served(): Cell[] {
    return this.cells.all().filter(({ region }) => this.regions.serves(region));
  }

  async #visit(cell: Cell, tenant: TenantRef, taken: Date): Promise<void> {
    if (this.#rounds.stopping) return;
    try {
      const next = await this.database.within(tenant, async () => {
        await this.escalate.execute();
        await this.deliver.execute(tenant);
        return this.notifications.nextDue();
      });
      await noteVisit(cell, tenant.id, taken, next);
    } catch (error) {
      // Whom to tell went with the keys: there is nothing to attend to until an alert is raised anew.
      if (error instanceof KeysDestroyed) return noteVisit(cell, tenant.id, taken, undefined);
      // It is due again when the visit's time is over.
      if (!this.#rounds.stopping && !(error instanceof TenantMoving))
        this.log.error('the alerts of an organisation could not be attended to', error, {
          tenant: tenant.id,
        });
    }
  }
}

interface Due {
  readonly tenant: string;
  /** Until when it is ours, as the database has it. */
  readonly due_at: Date;
}

async function takeDue(cell: Cell): Promise<Due[]> {
  // To the millisecond, as a date of JavaScript: what is compared afterwards has to be what was written.
  const { rows } = await cell.control.query<Due>(
    `UPDATE work.alerts SET due_at = date_trunc('milliseconds', now() + make_interval(secs => ${VISIT_SECONDS}))
     WHERE tenant IN (SELECT tenant FROM work.alerts WHERE due_at <= now()
       ORDER BY due_at LIMIT ${TENANTS_PER_ROUND} FOR UPDATE SKIP LOCKED)
     RETURNING tenant, due_at`,
  );
  return rows;
}

/** Unless something was due sooner meanwhile: whoever said so has changed the time. */
async function noteVisit(cell: Cell, tenant: string, taken: Date, next: Date | undefined): Promise<void> {
  if (next)
    await cell.control.query('UPDATE work.alerts SET due_at = $3 WHERE tenant = $1 AND due_at = $2', [
      tenant,
      taken,
      next,
    ]);
  else await cell.control.query('DELETE FROM work.alerts WHERE tenant = $1 AND due_at = $2', [tenant, taken]);
}
