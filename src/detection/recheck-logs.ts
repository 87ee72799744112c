import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import type { Beginning } from '@waxell/transparency';
import { ColdLog, EventRecorder, VerifyWalk, type CheckedRow, type Finding } from '../audit/index.js';
import { RepeatedWork } from '../platform/background/index.js';
import { RegionConfig } from '../platform/config/index.js';
import { Cells, PLATFORM_TENANT, tenantId, type Cell, type TenantRef } from '../platform/database/index.js';
import { Log } from '../platform/observability/log.js';
import { TenantRegistry } from '../tenancy/index.js';

const ROUND_MS = 5_000;
/** What is read at once: bounds memory, and how long the database is kept. */
const PIECE_EVENTS = 4_000;
const PIECE_BYTES = 2_097_152;
/** Of a process's time at most a fiftieth: after a piece, it rests for so many times as long as that took. */
const REST = 49;
/** A piece that has not ended by then is begun anew by whoever looks next. */
const LEASE_SECONDS = 60;
/** A log that was verified to its end begins again after this; one that is not as it was written is told of as often. */
const PAUSE_SECONDS = 3_600;
/** What is not as it was written, and from where. */
type Altered = Pick<Finding, 'seq' | 'kind'>;
const RECHECK = { type: 'system', id: 'recheck' } as const;

/** The piece whose turn it is: of the log that has waited longest. */
interface Piece {
  readonly tenant: TenantRef;
  readonly from: Beginning | undefined;
}

/** What a piece has come to. */
interface Checked {
  readonly altered?: Altered;
  /** Where to go on; from the beginning where this is absent. */
  readonly place?: Beginning;
  readonly waitSeconds: number;
}

/**
 * Verifies what the database has of every log, again and again, a piece of one at a time, whether or not anybody asks. What
 * is in cold storage is locked there, and held against its digest by whoever reads it. Requests know nothing of it.
 */
@Injectable()
export class RecheckLogs implements OnApplicationBootstrap, BeforeApplicationShutdown {
  #restUntil = 0;
  readonly #rounds = new RepeatedWork(
    () => this.#unlessResting(),
    ROUND_MS,
    (error) => this.log.error('logs could not be verified anew; it is repeated', error),
  );

  constructor(
    private readonly cells: Cells,
    private readonly cold: ColdLog,
    private readonly events: EventRecorder,
    private readonly tenants: TenantRegistry,
    private readonly regions: RegionConfig,
    private readonly log: Log,
  ) {}

  onApplicationBootstrap(): void {
    this.#rounds.start();
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.#rounds.stop();
  }

  /** One piece in each cell. */
  async round(events = PIECE_EVENTS): Promise<void> {
    for (const cell of this.cells.all().filter(({ region }) => this.regions.serves(region))) {
      const piece = this.#rounds.stopping ? undefined : await takePiece(cell);
      if (!piece) continue;
      const checked = await this.#check(cell, piece, events);
      if (checked.altered && (await this.#livesHere(piece.tenant)))
        await this.#tell(piece.tenant, checked.altered);
      await putPiece(cell, piece.tenant, checked);
    }
  }

  async #unlessResting(): Promise<void> {
    const begun = performance.now();
    if (begun < this.#restUntil) return;
    await this.round();
    const ended = performance.now();
    this.#restUntil = ended + (ended - begun) * REST;
  }

  async #check(cell: Cell, { tenant, from }: Piece, events: number): Promise<Checked> {
    // The head first: what is appended while we read is not part of this piece.
    const head = await headOf(cell, tenant);
    if (!head) return { waitSeconds: PAUSE_SECONDS };
    const begun = from ?? (await this.#firstInDatabase(tenant));
    const walk = new VerifyWalk(tenant.id, { ...begun, vouchedBy: undefined });
    const rows = await rowsAfter(cell, tenant, begun.seq, Math.min(head.seq, begun.seq + events));
    for (const row of rows) {
      walk.check(row);
      if (walk.finding) return this.#unlessMoved(tenant, walk.finding);
    }
    const { place } = walk;
    if (place.seq < head.seq)
      return rows.length > 0
        ? { place, waitSeconds: 0 }
        : this.#unlessMoved(tenant, { seq: place.seq + 1, kind: 'log_truncated' });
    if (place.seq > head.seq)
      return { altered: { seq: head.seq, kind: 'log_truncated' }, waitSeconds: PAUSE_SECONDS };
    walk.checkHead(head);
    return { ...(walk.finding && { altered: walk.finding }), waitSeconds: PAUSE_SECONDS };
  }

  /** Events that are not in the database any more because they are cold by now are no finding. */
  async #unlessMoved(tenant: TenantRef, altered: Altered): Promise<Checked> {
    if (await this.cold.containing(tenant, altered.seq)) return { waitSeconds: 0 };
    return { altered, waitSeconds: PAUSE_SECONDS };
  }

  /** After what is in cold storage. */
  async #firstInDatabase(tenant: TenantRef): Promise<Beginning> {
    const last = await this.cold.through(tenant);
    const range = last > 0 ? await this.cold.containing(tenant, last) : undefined;
    return range ? { ...range, seq: range.last } : this.cold.beginning(tenant);
  }

  /** While a log is on its way to another cell, or has just come, what is in the database is not yet all of it. */
  async #livesHere({ id, cell }: TenantRef): Promise<boolean> {
    if (id === PLATFORM_TENANT) return true;
    const current = await this.tenants.current(id);
    return current?.cell === cell && current.movingTo === undefined;
  }

  /** In the installation's log and, if it takes anything, the organisation's own; before it is noted: repeated, it is one more event of what is so. */
  async #tell(tenant: TenantRef, { seq, kind }: Altered): Promise<void> {
    const own = tenant.id === PLATFORM_TENANT ? [] : [tenant];
    for (const log of [undefined, ...own])
      await this.events.record(log, {
        action: 'audit.chain_broken',
        actor: RECHECK,
        outcome: 'failure',
        resource: { type: 'tenant', id: tenant.id },
        changes: { seq, kind },
      });
  }
}

async function takePiece(cell: Cell): Promise<Piece | undefined> {
  const { rows } = await cell.audit.query<{
    tenant: string;
    seq: string;
    chain_hash: Buffer | null;
    frontier: Buffer | null;
  }>(
    `INSERT INTO audit.rechecked AS r (tenant, due_at)
     SELECT h.tenant, now() + make_interval(secs => ${LEASE_SECONDS})
     FROM audit.heads h LEFT JOIN audit.rechecked o ON o.tenant = h.tenant
     WHERE h.closed_at IS NULL AND h.seq > 0 AND (o.due_at IS NULL OR o.due_at <= now())
     ORDER BY o.due_at NULLS FIRST LIMIT 1
     ON CONFLICT (tenant) DO UPDATE SET due_at = excluded.due_at WHERE r.due_at <= now()
     RETURNING tenant, seq, chain_hash, frontier`,
  );
  const [row] = rows;
  if (!row) return undefined;
  const { seq, chain_hash: chain, frontier } = row;
  return {
    tenant: cell.tenant(tenantId(row.tenant)),
    from: chain && frontier ? { seq: Number(seq), chain, frontier } : undefined,
  };
}

async function putPiece(cell: Cell, tenant: TenantRef, { place, waitSeconds }: Checked): Promise<void> {
  await cell.audit.query(
    `UPDATE audit.rechecked SET seq = $2, chain_hash = $3, frontier = $4, due_at = now() + make_interval(secs => $5)
     WHERE tenant = $1`,
    [tenant.id, place?.seq ?? 0, place?.chain ?? null, place?.frontier ?? null, waitSeconds],
  );
}

async function headOf(
  cell: Cell,
  tenant: TenantRef,
): Promise<{ seq: number; chain_hash: Buffer; frontier: Buffer } | undefined> {
  const { rows } = await cell.audit.query<{ seq: string; chain_hash: Buffer; frontier: Buffer }>(
    'SELECT seq, chain_hash, frontier FROM audit.heads WHERE tenant = $1 AND closed_at IS NULL',
    [tenant.id],
  );
  const [row] = rows;
  return row && { ...row, seq: Number(row.seq) };
}

async function rowsAfter(cell: Cell, tenant: TenantRef, seq: number, through: number): Promise<CheckedRow[]> {
  const { rows } = await cell.audit.query<CheckedRow>(
    `SELECT seq, id, at, action, actor, outcome, event, leaf_hash, chain_hash FROM (
       SELECT seq, id::text, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at, action, actor, outcome,
         event, leaf_hash, chain_hash, sum(octet_length(event)) OVER (ORDER BY seq) - octet_length(event) AS before
       FROM audit.events WHERE tenant = $1 AND seq > $2 AND seq <= $3) page
     WHERE before < ${PIECE_BYTES} ORDER BY seq`,
    [tenant.id, seq, through],
  );
  return rows;
}
