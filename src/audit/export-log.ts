import { Injectable } from '@nestjs/common';
import { Cells, type TenantRef } from '../platform/database/index.js';
import { parseEvent } from './audit-event.js';
import { AuditLog } from './audit-log.js';
import { PersonalParts } from './personal-parts.js';

/** An event as an export carries it. */
export interface ExportedEvent {
  readonly seq: number;
  /** The canonical bytes as text: what is hashed. */
  readonly event: string;
  readonly chainHash: string;
  /** What is encrypted in the event, opened: the keys end with the tenant. */
  readonly personal?: Record<string, unknown>;
}

const PAGE = 1_000;

/** A tenant's log, from its first event on, for whoever takes it along. */
@Injectable()
export class ExportLog {
  constructor(
    private readonly cells: Cells,
    private readonly log: AuditLog,
    private readonly personal: PersonalParts,
  ) {}

  /** The events after one, as many as are about so many bytes; none at the end. */
  async after(tenant: TenantRef, seq: number, bytes: number): Promise<ExportedEvent[]> {
    if (seq === 0) await this.log.drainOutbox(tenant.cell);
    const { rows } = await this.cells.of(tenant.cell).audit.query<{
      seq: string;
      event: Buffer;
      chain_hash: Buffer;
    }>(
      `SELECT seq, event, chain_hash FROM (
         SELECT seq, event, chain_hash, sum(length) OVER (ORDER BY seq) - length AS before FROM (
           SELECT seq, event, chain_hash, octet_length(event) AS length FROM audit.events
           WHERE tenant = $1 AND seq > $2 ORDER BY seq LIMIT ${PAGE}) page) sized
       WHERE before < $3 ORDER BY seq`,
      [tenant.id, seq, bytes],
    );
    return Promise.all(
      rows.map(async (row) => {
        const personal = await this.personal.of(tenant, parseEvent(row.event));
        return {
          seq: Number(row.seq),
          event: row.event.toString('utf8'),
          chainHash: row.chain_hash.toString('hex'),
          ...(personal && { personal }),
        };
      }),
    );
  }
}
