import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { AuditLog } from '../audit/index.js';
import { RegionConfig } from '../platform/config/index.js';
import { Cells, type Cell } from '../platform/database/index.js';
import { Gauges, type Reading } from '../platform/observability/gauges.js';
import { CertificateExpiry } from '../platform/tls/index.js';

const NANOSECONDS = 1e9;
/** As far as an outbox is counted: more than that is as bad. */
const MOST_COUNTED = 100_000;
const LAG_RESOLUTION_MS = 20;

/** What the process and the logs of its cells have to say of themselves. However many organisations there are, each figure is one for a cell. */
@Injectable()
export class LogGauges implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #delay = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });

  constructor(
    private readonly gauges: Gauges,
    private readonly cells: Cells,
    private readonly regions: RegionConfig,
    private readonly log: AuditLog,
    private readonly certificates: CertificateExpiry,
  ) {}

  onApplicationBootstrap(): void {
    this.#delay.enable();
    this.gauges.add({
      name: 'waxell_event_loop_delay_seconds',
      help: 'By how much timers of this process were late since this was read last.',
      label: 'quantile',
      read: () => this.#delayed(),
    });
    this.gauges.add({
      name: 'waxell_certificate_expiry_seconds',
      help: 'Seconds until a certificate that this process presents expires; negative once it has.',
      label: 'certificate',
      read: () => this.certificates.list().map(({ name, secondsLeft }) => ({ of: name, value: secondsLeft })),
    });
    this.gauges.add({
      name: 'waxell_audit_queue_events',
      help: 'Events of this process that wait to be durable.',
      label: 'cell',
      read: () => this.#served().map(({ name }) => ({ of: name, value: this.log.waiting(name) })),
    });
    this.gauges.add({
      name: 'waxell_audit_outbox_events',
      help: `Events that transactions have left and that are not in a log yet; counted up to ${MOST_COUNTED}.`,
      label: 'cell',
      read: () => this.#ofCells(OUTBOX),
    });
    this.gauges.add({
      name: 'waxell_checkpoint_age_seconds',
      help: 'Age of the oldest event that no checkpoint covers; 0 where all are covered.',
      label: 'cell',
      read: () => this.#ofCells(UNCOVERED),
    });
  }

  onApplicationShutdown(): void {
    this.#delay.disable();
  }

  #served(): Cell[] {
    return this.cells.all().filter(({ region }) => this.regions.serves(region));
  }

  #ofCells(text: string): Promise<Reading[]> {
    return Promise.all(
      this.#served().map(async (cell) => {
        const { rows } = await cell.audit.query<{ value: string | null }>(text);
        return { of: cell.name, value: Math.max(0, Number(rows[0]?.value ?? 0)) };
      }),
    );
  }

  #delayed(): Reading[] {
    const delay = this.#delay;
    const read = [50, 99, 100].map((percent) => ({
      of: String(percent / 100),
      // What it measures has the time between two measurements in it.
      value: Math.max(0, delay.percentile(percent) / NANOSECONDS - LAG_RESOLUTION_MS / 1_000),
    }));
    delay.reset();
    return read;
  }
}

const OUTBOX = `SELECT count(*) AS value FROM (SELECT FROM audit.outbox LIMIT ${MOST_COUNTED}) o`;
const UNCOVERED = `SELECT extract(epoch FROM now() - min(e.at)) AS value
  FROM audit.heads h LEFT JOIN audit.progress p ON p.log = h.tenant
    JOIN audit.events e ON e.tenant = h.tenant AND e.seq = COALESCE(p.size, 0) + 1
  WHERE h.closed_at IS NULL AND h.seq > COALESCE(p.size, 0)`;
