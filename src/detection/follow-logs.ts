import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { IndexLog } from '../audit/index.js';
import { KeysDestroyed } from '../encryption/index.js';
import { RepeatedWork } from '../platform/background/index.js';
import { RegionConfig } from '../platform/config/index.js';
import { Cells, tenantId, type Cell, type TenantRef } from '../platform/database/index.js';
import { Log } from '../platform/observability/log.js';
import { TenantMoving } from '../tenancy/index.js';
import { Detect, type Look } from './detect.js';
import { LookedAtElsewhere } from './detection-state.js';

const POLL_MS = 1_000;
/** A log that grows all the time is looked at this often. */
const AGAIN_SECONDS = 3;
/** One that cannot be looked at, such as that of an organisation whose schema is behind. */
const FAILED_SECONDS = 60;
const LOGS_PER_ROUND = 50;
const AT_ONCE = 4;
/** Then others have their turn. */
const PAGES_PER_LOOK = 20;

/** Finds the logs that have grown, in every process; whoever commits first has looked. Requests know nothing of it. */
@Injectable()
export class FollowLogs implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #rounds = new RepeatedWork(
    () => this.round(),
    POLL_MS,
    (error) => this.log.error('logs could not be looked at; it is repeated', error),
  );

  constructor(
    private readonly cells: Cells,
    private readonly detect: Detect,
    private readonly index: IndexLog,
    private readonly regions: RegionConfig,
    private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    this.#rounds.start();
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.#rounds.stop();
  }

  /** One look at all that is due. */
  async round(): Promise<void> {
    for (const cell of this.cells.all().filter(({ region }) => this.regions.serves(region))) {
      const grown = await grownLogs(cell);
      const next = grown.values();
      const worker = async (): Promise<void> => {
        for (const log of next) if (!this.#rounds.stopping) await this.#look(cell, log);
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
    }
  }

  async #look(cell: Cell, { tenant, head }: Grown): Promise<void> {
    try {
      const of = cell.tenant(tenantId(tenant));
      const look = await this.#pages(of, head);
      // One that is not indexed as far as it was looked at is due again, whether it grows or not.
      const behind = await this.index.complete(of, look.seq);
      await noteLook(cell, tenant, behind ? undefined : look.seq, look.more || behind ? 0 : AGAIN_SECONDS);
    } catch (error) {
      if (this.#rounds.stopping || error instanceof LookedAtElsewhere) return;
      // What was remembered of the log went with the keys: there is nothing to go on from, now or later.
      if (error instanceof KeysDestroyed) return noteLook(cell, tenant, head, AGAIN_SECONDS);
      if (!(error instanceof TenantMoving)) this.log.error('a log could not be looked at', error, { tenant });
      await noteLook(cell, tenant, undefined, FAILED_SECONDS);
    }
  }

  /** What is read of a log is read once: to be looked at, and to be found. */
  async #pages(tenant: TenantRef, head: number): Promise<Look> {
    for (let page = 1; ; page += 1) {
      const look = await this.detect.look(tenant, head);
      if (look.odd > 0)
        this.log.warn(
          'events are not as events are written; they were looked at as far as they can be told',
          {
            tenant: tenant.id,
            through: look.seq,
            events: look.odd,
          },
        );
      await this.index.follow(tenant, look.events);
      if (!look.more || page === PAGES_PER_LOOK || this.#rounds.stopping) return look;
    }
  }
}

interface Grown {
  readonly tenant: string;
  readonly head: number;
}

/** Logs that are not as long as they were at the last look: longer, as a rule. */
async function grownLogs(cell: Cell): Promise<Grown[]> {
  const { rows } = await cell.audit.query<{ tenant: string; seq: string }>(
    `SELECT h.tenant, h.seq FROM audit.heads h LEFT JOIN audit.looked_at l ON l.tenant = h.tenant
     WHERE h.closed_at IS NULL AND h.seq <> COALESCE(l.seq, -1) AND (l.due_at IS NULL OR l.due_at <= now())
     ORDER BY l.due_at NULLS FIRST LIMIT ${LOGS_PER_ROUND}`,
  );
  return rows.map(({ tenant, seq }) => ({ tenant, head: Number(seq) }));
}

async function noteLook(cell: Cell, tenant: string, seq: number | undefined, seconds: number): Promise<void> {
  await cell.audit.query(
    `INSERT INTO audit.looked_at AS l (tenant, seq, due_at) VALUES ($1, COALESCE($2::bigint, -1), now() + make_interval(secs => $3))
     ON CONFLICT (tenant) DO UPDATE SET seq = COALESCE($2::bigint, l.seq), due_at = now() + make_interval(secs => $3)`,
    [tenant, seq ?? null, seconds],
  );
}
