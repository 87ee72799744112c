import { Injectable } from '@nestjs/common';
import { Cells, copyOutOf, tenantId, type TenantRef } from '../platform/database/index.js';
import { AuditLog } from './audit-log.js';
import { alteredCopy, strayCopy } from './check-restored.js';
import { ColdLog, type ColdRange } from './cold-log.js';
import { ROW_COLUMNS, type CheckedRow } from './event-row.js';
import { unpacked } from './stored-event.js';
import { VerifyWalk, type Verification } from './verify-walk.js';

/** Events that are read at once in binary. */
const RUN = 32_768;

/** Recomputes a tenant's log from the first event that is kept, cold ones included: every leaf, every link, the Merkle root and the head. */
@Injectable()
export class VerifyLog {
  constructor(
    private readonly cells: Cells,
    private readonly log: AuditLog,
    private readonly cold: ColdLog,
  ) {}

  async execute(tenant: TenantRef): Promise<Verification> {
    await this.log.drainOutbox(tenant.cell);
    await this.log.requireOpen(tenant);
    const pool = this.cells.of(tenant.cell).audit;
    // Before the head: the event by which the log says that its beginning is gone is one of those that the head counts.
    const beginning = await this.cold.beginning(tenant);
    // Events appended while we read come after it and are not part of what is verified.
    const heads = await pool.query<{ seq: string; chain_hash: Buffer; frontier: Buffer }>(
      'SELECT seq, chain_hash, frontier FROM audit.heads WHERE tenant = $1',
      [tenant.id],
    );
    const head = heads.rows[0];
    const size = Number(head?.seq ?? 0);
    const walk = new VerifyWalk(tenant.id, beginning);
    while (walk.seq < size && !walk.finding) {
      const range = await this.cold.containing(tenant, walk.seq + 1);
      if (range) {
        await this.#checkCold(tenant, range, walk);
        // Its time was over while it was being verified: what is kept begins elsewhere now.
        if (walk.finding && (await this.cold.containing(tenant, range.first))?.expired !== false)
          return this.execute(tenant);
        continue;
      }
      if ((await this.#run(tenant, walk, size)) || walk.finding) continue;
      const page = await pool.query<CheckedRow>(
        `SELECT seq, id, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at, action, actor, outcome,
           event, leaf_hash, chain_hash
         FROM audit.events WHERE tenant = $1 AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT 1`,
        [tenant.id, walk.seq, size],
      );
      // Of a period that was dropped at this moment the events are cold by now.
      if (page.rows[0]?.seq !== String(walk.seq + 1) && (await this.cold.containing(tenant, walk.seq + 1)))
        continue;
      if (page.rows.length === 0) walk.truncated(size);
      for (const row of page.rows) if (!walk.finding) walk.check(row);
    }
    if (!walk.finding && head) walk.checkHead(head);
    if (!walk.finding) walk.checkBeginning();
    if (!walk.finding) await this.#nothingBeyond(tenant, size, walk);
    const stray = walk.finding ? undefined : await strayCopy(pool, tenant.id);
    if (stray !== undefined) walk.restoredOtherwise(stray);
    return walk.result();
  }

  /** The next events, as far as they are as they were written; false where one is not, or is not there. */
  async #run(tenant: TenantRef, walk: VerifyWalk, size: number): Promise<boolean> {
    const last = Math.min(walk.seq + RUN, size);
    // Of the tenant only its id, whose form is checked, and numbers: nothing of anybody's input.
    const text = `COPY (SELECT ${ROW_COLUMNS} FROM audit.events WHERE tenant = '${tenantId(tenant.id)}'
      AND seq > ${walk.seq} AND seq <= ${last} ORDER BY seq) TO STDOUT (FORMAT binary)`;
    let agrees = true;
    await copyOutOf(
      this.cells.of(tenant.cell).audit,
      text,
      (bytes, from) => (agrees &&= walk.agrees(bytes, from)),
    );
    return agrees && walk.seq === last;
  }

  async #checkCold(tenant: TenantRef, range: ColdRange, walk: VerifyWalk): Promise<void> {
    const object = await this.cold.object(tenant, range);
    const from = `Events ${range.first} to ${range.last}, in cold storage,`;
    if (!object) return walk.found(range.first, 'event_missing', `${from} are not there.`);
    const events = await unpacked(object).catch(() => undefined);
    if (!events) return walk.found(range.first, 'event_altered', `${from} cannot be read.`);
    for (const event of events) if (!walk.finding) walk.checkCold(event);
    if (!walk.finding && walk.seq < range.last)
      walk.found(walk.seq + 1, 'event_missing', `${from} end with ${walk.seq}.`);
    if (!walk.finding) walk.checkColdEnd(range);
    if (walk.finding) return;
    const altered = await alteredCopy(this.cells.of(tenant.cell).audit, tenant.id, range, events);
    if (altered !== undefined) walk.restoredOtherwise(altered);
  }

  /** Events without a head that counts them were put there by somebody else than the sequencer. */
  async #nothingBeyond(tenant: TenantRef, size: number, walk: VerifyWalk): Promise<void> {
    const beyond = await this.cells.of(tenant.cell).audit.query<{ seq: string }>(
      `SELECT e.seq FROM audit.events e LEFT JOIN audit.heads h ON h.tenant = e.tenant
       WHERE e.tenant = $1 AND (e.seq < 1 OR e.seq > COALESCE(h.seq, 0)) ORDER BY e.seq LIMIT 1`,
      [tenant.id],
    );
    const stray = beyond.rows[0];
    if (stray)
      walk.found(
        Number(stray.seq),
        'head_altered',
        `Event ${stray.seq} is not counted by the log's head of ${size} events.`,
      );
  }
}
