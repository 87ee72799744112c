import { Injectable } from '@nestjs/common';
import type { AuditEvent } from '../audit/index.js';
import { Cells, type RegistryTransaction } from '../platform/database/index.js';
import type { AuditAction } from '../platform/events/index.js';
import { RegistryWork } from '../requests/index.js';
import { TenantRegistry } from '../tenancy/index.js';
import type { Move } from './move.js';

/** What the registry said is not so any more: cancelled, or another process has taken the move over. */
export class MoveSuperseded extends Error {
  override readonly name = 'MoveSuperseded';
}

/** The part of a move that is in the registry, where each change either happens or does not. */
@Injectable()
export class MoveRegistry {
  constructor(
    private readonly work: RegistryWork,
    private readonly tenants: TenantRegistry,
    private readonly cells: Cells,
  ) {}

  /** Whether the cut-over has happened: from then on there is only forward. */
  async isCutOver({ target }: Move): Promise<boolean> {
    return (await this.tenants.current(target.id))?.cell === target.cell;
  }

  /** Whether it is still what is done with the tenant, and nobody has asked to leave it. */
  async state({ id, source }: Move): Promise<'wanted' | 'cancelled' | 'over'> {
    const { rows } = await this.cells.home.control.query<{ move_cancelled: boolean }>(
      'SELECT move_cancelled FROM control.tenants WHERE id = $1 AND move_id = $2',
      [source.id, id],
    );
    if (!rows[0]) return 'over';
    return rows[0].move_cancelled ? 'cancelled' : 'wanted';
  }

  /** Tells every process that writes are paused, under a name of this pause. */
  async pause(move: Move, pauseId: string): Promise<void> {
    await this.work.bookkeeping('the move is an event when it is cut over', move.source.id, (registry) =>
      changed(registry, {
        text: `UPDATE control.tenants SET pause_id = $3
          WHERE id = $1 AND move_id = $2 AND pause_id IS NULL AND NOT move_cancelled`,
        values: [move.source.id, move.id, pauseId],
      }),
    );
  }

  /** Ends whichever pause there is: no cut-over under its name can follow. False when the cut-over has happened. */
  async endPause({ id, source }: Move): Promise<boolean> {
    return this.work.bookkeeping('the move is an event when it is cut over', source.id, async (registry) => {
      const { rowCount } = await registry.query({
        text: 'UPDATE control.tenants SET pause_id = NULL WHERE id = $1 AND move_id = $2 AND cell = $3',
        values: [source.id, id, source.cell],
      });
      return rowCount === 1;
    });
  }

  /**
   * The cut-over: the tenant lives in the target from this commit on. Only under the pause that was begun for it.
   * @throws {MoveSuperseded}
   */
  async cutOver(move: Move, pauseId: string): Promise<void> {
    const { id, source, target } = move;
    const event = moveEvent('tenant.moved', move);
    await this.work.runAs(
      source.id,
      () => event,
      (registry) =>
        changed(registry, {
          text: `UPDATE control.tenants SET cell = $4, region = $5, move_id = NULL, moving_to = NULL, pause_id = NULL
            WHERE id = $1 AND move_id = $2 AND pause_id = $3 AND NOT move_cancelled
              AND status IN ('active', 'suspended')`,
          values: [source.id, id, pauseId, target.cell, target.region],
        }),
    );
  }

  /** The end of a move that was not made. Without effect where it was said already. */
  async abandon(move: Move, reason: string): Promise<void> {
    const { id, source } = move;
    if ((await this.state(move)) === 'over') return;
    await this.work.runAs(
      source.id,
      () => ({ ...moveEvent('tenant.move_undone', move), outcome: 'failure', reason }),
      (registry) =>
        changed(registry, {
          text: `UPDATE control.tenants SET move_id = NULL, moving_to = NULL, pause_id = NULL, move_cancelled = false
            WHERE id = $1 AND move_id = $2`,
          values: [source.id, id],
        }),
    );
  }
}

/** What is told of a move, in the installation's log and in the organisation's own. */
export function moveEvent(action: AuditAction, { source, target }: Move): AuditEvent {
  return {
    action,
    actor: { type: 'system', id: 'mover' },
    outcome: 'success',
    resource: { type: 'tenant', id: source.id },
    changes: { from: source.cell, to: target.cell, region: target.region },
  };
}

async function changed(
  registry: RegistryTransaction,
  statement: { text: string; values: readonly unknown[] },
): Promise<void> {
  const { rowCount } = await registry.query(statement);
  if (rowCount !== 1)
    throw new MoveSuperseded('The move was cancelled, or another process has taken it over.');
}
