import { Injectable, type OnModuleInit } from '@nestjs/common';
import { chainHash, EMPTY_CHAIN, leafHash } from '@waxell/transparency';
import {
  ColdLog,
  ColdObjectAltered,
  EventRecorder,
  parseEvent,
  type ColdRange,
  type StoredEvent,
} from '../audit/index.js';
import { OperationFailed, OperationRunner, type Operation, type StepResult } from '../operations/index.js';
import { Cells, type TenantRef } from '../platform/database/index.js';
import { TenantRegistry } from '../tenancy/index.js';
import { RESTORE } from './restores.js';

/**
 * Loads a range of a cold log into the database, object by object. Each event is held against its link of the chain, which
 * begins where the object before ended. Repeated, a step goes on after what is loaded.
 */
@Injectable()
export class LoadRestore implements OnModuleInit {
  constructor(
    private readonly runner: OperationRunner,
    private readonly tenants: TenantRegistry,
    private readonly cells: Cells,
    private readonly cold: ColdLog,
    private readonly events: EventRecorder,
  ) {}

  onModuleInit(): void {
    this.runner.register(RESTORE, { load: (operation) => this.#load(operation) });
  }

  async #load({ tenant: id, data }: Operation): Promise<StepResult> {
    const tenant = await this.tenants.current(id);
    if (!tenant) throw new OperationFailed('The organisation is gone.');
    const { restore, from, to } = data as { restore: string; from: number; to: number };
    const next = await this.#next(tenant, restore, from);
    if (next > to) return this.#ready(tenant, restore, to - from + 1);
    try {
      const range = await this.cold.containing(tenant, next);
      if (!range || range.expired)
        throw new ColdObjectAltered(`Event ${next} is not in cold storage any more.`);
      const events = await this.#verified(tenant, range);
      await this.#insert(
        tenant,
        restore,
        events.filter(({ seq }) => seq >= next && seq <= to),
      );
    } catch (error) {
      if (!(error instanceof ColdObjectAltered)) throw error;
      const text = `UPDATE audit.restores SET status = 'FAILED', error = $2 WHERE id = $1`;
      await this.cells.of(tenant.cell).audit.query(text, [restore, error.message]);
      throw new OperationFailed(error.message);
    }
    return { again: 0 };
  }

  async #next({ cell }: TenantRef, restore: string, from: number): Promise<number> {
    const { rows } = await this.cells
      .of(cell)
      .audit.query<{ last: string | null }>(
        'SELECT max(seq) AS last FROM audit.restored WHERE restore = $1',
        [restore],
      );
    return rows[0]?.last == null ? from : Number(rows[0].last) + 1;
  }

  /** @throws {ColdObjectAltered} */
  async #verified(tenant: TenantRef, range: ColdRange): Promise<StoredEvent[]> {
    const events = await this.cold.events(tenant, range);
    let chain = (await this.cold.endingBy(tenant, range.first - 1))?.chain ?? EMPTY_CHAIN;
    let seq = range.first - 1;
    for (const event of events) {
      seq += 1;
      chain = chainHash(chain, seq, leafHash(event.event));
      if (event.seq !== seq || !chain.equals(event.chain))
        throw new ColdObjectAltered(`Event ${seq}, in cold storage, is not what was logged.`);
    }
    return events;
  }

  async #insert({ cell }: TenantRef, restore: string, events: readonly StoredEvent[]): Promise<void> {
    const bodies = events.map(({ event }) => parseEvent(event));
    await this.cells.of(cell).audit.query(
      `INSERT INTO audit.restored (restore, seq, at, action, actor, event, chain_hash)
       SELECT $1, e.* FROM unnest($2::bigint[], $3::timestamptz[], $4::text[], $5::text[], $6::bytea[], $7::bytea[])
         AS e(seq, at, action, actor, event, chain_hash)
       WHERE EXISTS (SELECT FROM audit.restores WHERE id = $1) ON CONFLICT DO NOTHING`,
      [
        restore,
        events.map(({ seq }) => seq),
        bodies.map(({ at }) => at),
        bodies.map(({ action }) => action),
        bodies.map(({ actor }) => actor.id),
        events.map(({ event }) => event),
        events.map(({ chain }) => chain),
      ],
    );
  }

  async #ready(tenant: TenantRef, restore: string, events: number): Promise<StepResult> {
    await this.cells
      .of(tenant.cell)
      .audit.query(`UPDATE audit.restores SET status = 'READY' WHERE id = $1`, [restore]);
    await this.events.record(tenant, {
      action: 'audit_restore.loaded',
      actor: { type: 'system', id: 'operations' },
      outcome: 'success',
      resource: { type: 'audit_restore', id: restore },
      changes: { events },
    });
    return 'done';
  }
}
