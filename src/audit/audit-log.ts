import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Cells, type TenantRef } from '../platform/database/index.js';
import { TenantMoving } from '../tenancy/index.js';
import type { CanonicalEvent } from './audit-event.js';
import { GroupWriter } from './group-writer.js';

/** Appends to the tenants' logs; each cell's are in its own database. */
@Injectable()
export class AuditLog implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #writers: ReadonlyMap<string, GroupWriter>;

  constructor(private readonly cells: Cells) {
    this.#writers = new Map(cells.all().map((cell) => [cell.name, new GroupWriter(cell)]));
  }

  /** What a process that died has left in an outbox waits for nobody else's event. */
  onApplicationBootstrap(): void {
    for (const cell of this.#writers.keys()) this.outboxFilled(cell);
  }

  /** Events of this process that wait to be durable in a cell. */
  waiting(cell: string): number {
    return this.#writer(cell).waiting;
  }

  /** Resolves when the event is durable. @throws {LogClosed} where the log goes on in another cell */
  append(tenant: { readonly id: string; readonly cell: string }, event: CanonicalEvent): Promise<void> {
    return this.#writer(tenant.cell).append(tenant.id, event);
  }

  /** As `append`, for an event that may be in the log already. */
  appendOnce(tenant: { readonly id: string; readonly cell: string }, bytes: Buffer): Promise<boolean> {
    return this.#writer(tenant.cell).appendOnce(tenant.id, bytes);
  }

  /** Moves what transactions have left in the outbox into the logs; resolves when nothing older is left. */
  async drainOutbox(cell: string): Promise<void> {
    await this.#writer(cell).drain();
  }

  /** Says that a transaction of this process has just committed an event; the log follows without anybody waiting. */
  outboxFilled(cell: string, tenant?: string): void {
    this.#writer(cell).drainSoon(tenant);
  }

  /**
   * Whoever reads a log asks this before: a log that has left its cell must not be read there as if it went on.
   * @throws {TenantMoving}
   */
  async requireOpen(tenant: TenantRef): Promise<void> {
    const { rows } = await this.cells.of(tenant.cell).audit.query<{ open: boolean }>(
      `SELECT COALESCE((SELECT closed_at IS NULL FROM audit.heads WHERE tenant = $1),
         to_regnamespace($1) IS NOT NULL) AS open`,
      [tenant.id],
    );
    if (!rows[0]?.open) throw new TenantMoving();
  }

  /** The number of the last event of a tenant's log in its cell; 0 where there is none. */
  async length(tenant: TenantRef): Promise<number> {
    const { rows } = await this.cells
      .of(tenant.cell)
      .audit.query<{ seq: string }>('SELECT seq FROM audit.heads WHERE tenant = $1', [tenant.id]);
    return Number(rows[0]?.seq ?? 0);
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all([...this.#writers.values()].map((writer) => writer.close()));
  }

  #writer(cell: string): GroupWriter {
    const writer = this.#writers.get(cell);
    if (!writer) throw new Error(`No cell of the name ${cell} is configured.`);
    return writer;
  }
}
