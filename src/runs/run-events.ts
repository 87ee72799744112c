import { Injectable } from '@nestjs/common';
import type { RunEvent, RunEventBody } from '@waxell/sdk';
import { FieldEncryption, sealedColumn } from '../encryption/index.js';
import { announce, currentTenant, TenantDatabase, type TenantRef } from '../platform/database/index.js';

const PAGE = 200;
sealedColumn({
  table: 'run_events',
  column: 'event',
  key: [
    ['run_id', 'uuid'],
    ['seq', 'integer'],
  ],
});
export const TERMINAL_EVENTS: ReadonlySet<RunEventBody['type']> = new Set([
  'run.completed',
  'run.failed',
  'run.cancelled',
]);

/** What happened in a run, in order. Encrypted, as it holds what the model said. */
@Injectable()
export class RunEvents {
  constructor(
    private readonly database: TenantDatabase,
    private readonly encryption: FieldEncryption,
  ) {}

  /** Adds an event in the running transaction; those who watch the run hear of it at the commit. */
  async append(runId: string, seq: number, body: RunEventBody): Promise<void> {
    const tenant = currentTenant();
    const event = { at: new Date().toISOString(), ...body };
    const sealed = await this.encryption.sealJson(tenant, place(runId, seq), event);
    await this.database.query({
      name: 'run_event',
      text: 'INSERT INTO run_events (run_id, seq, event) VALUES ($1, $2, $3)',
      values: [runId, seq, sealed],
    });
    await this.database.query(announce({ kind: 'run_progress', tenant: tenant.id, id: runId }));
  }

  async lastSeq(runId: string): Promise<number> {
    const [row] = await this.database.query<{ seq: number | null }>({
      text: 'SELECT max(seq) AS seq FROM run_events WHERE run_id = $1',
      values: [runId],
    });
    return row?.seq ?? 0;
  }

  /** At most a page of the events after the given one. */
  async after(tenant: TenantRef, runId: string, seq: number): Promise<RunEvent[]> {
    const rows = await this.database.within(tenant, () =>
      this.database.query<{ seq: number; event: Buffer }>({
        name: 'run_events',
        text: `SELECT seq, event FROM run_events WHERE run_id = $1 AND seq > $2 ORDER BY seq LIMIT ${PAGE}`,
        values: [runId, seq],
      }),
    );
    return Promise.all(
      rows.map(async (row) => {
        const event = (await this.encryption.openJson(tenant, place(runId, row.seq), row.event)) as Omit<
          RunEvent,
          'seq'
        >;
        return { seq: row.seq, ...event } as RunEvent;
      }),
    );
  }
}

function place(runId: string, seq: number) {
  return { table: 'run_events', column: 'event', row: `${runId}/${seq}` };
}
