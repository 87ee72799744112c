import { Injectable } from '@nestjs/common';
import { Cells, type TenantRef } from '../platform/database/index.js';
import { ColdLog } from './cold-log.js';
import type { StoredEvent } from './stored-event.js';

const PAGE = 1_000;

/** Reads a log in its order, wherever its events are. */
@Injectable()
export class LogReader {
  constructor(
    private readonly cells: Cells,
    private readonly cold: ColdLog,
  ) {}

  /**
   * The events that follow one, as many as are about so many bytes; none at the end. A log whose beginning was kept for
   * its time and is gone goes on with the first event that is there.
   */
  async after(tenant: TenantRef, seq: number, bytes: number): Promise<StoredEvent[]> {
    const hot = await this.hot(tenant, seq, bytes);
    if (hot[0]?.seq === seq + 1) return hot;
    // It was not in the database when that was asked, and so is cold by now, if it is anywhere.
    const range = await this.cold.containing(tenant, seq + 1);
    if (!range) return hot;
    if (range.expired) return this.after(tenant, (await this.cold.beginning(tenant)).seq, bytes);
    let size = 0;
    return (await this.cold.events(tenant, range)).filter((event) => {
      if (event.seq <= seq || size >= bytes) return false;
      size += event.event.length;
      return true;
    });
  }

  /** Of those that are in the database. */
  async hot(tenant: TenantRef, seq: number, bytes: number): Promise<StoredEvent[]> {
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
    return rows.map((row) => ({ seq: Number(row.seq), event: row.event, chain: row.chain_hash }));
  }
}
