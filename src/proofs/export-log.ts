import { Injectable } from '@nestjs/common';
import { Cells, type TenantRef } from '../platform/database/index.js';
import { JsonLines } from '../platform/http/streamed-answer.js';
import { ProveLog } from './prove-log.js';

const PAGE = 1_000;

/**
 * One line of an export: an event as it was hashed (its canonical JSON, as a string), and its link of the chain. The last
 * line is the signed checkpoint that covers the events instead.
 */
export type ExportedLine =
  { readonly seq: number; readonly event: string; readonly chain: string } | { readonly checkpoint: string };

/** A tenant's log for whoever verifies it without us: `wax audit verify`. Personal parts stay as they were hashed: sealed. */
@Injectable()
export class ExportLog {
  constructor(
    private readonly cells: Cells,
    private readonly prove: ProveLog,
  ) {}

  /** From an event's number on, up to the newest checkpoint. */
  async execute(tenant: TenantRef, from: number): Promise<JsonLines> {
    const { size, note } = await this.prove.current(tenant);
    const lines = () => this.#lines(tenant, from, size, note);
    return new JsonLines(`audit-${tenant.id}-${from}-${size}.jsonl`, lines);
  }

  async *#lines(tenant: TenantRef, from: number, size: number, note: string): AsyncGenerator<Buffer> {
    for (let next = from; next <= size; next += PAGE) {
      const { rows } = await this.cells
        .of(tenant.cell)
        .audit.query<{ seq: string; event: Buffer; chain_hash: Buffer }>(
          'SELECT seq, event, chain_hash FROM audit.events WHERE tenant = $1 AND seq BETWEEN $2 AND $3 ORDER BY seq',
          [tenant.id, next, Math.min(next + PAGE - 1, size)],
        );
      for (const row of rows)
        yield line({
          seq: Number(row.seq),
          event: row.event.toString('utf8'),
          chain: row.chain_hash.toString('base64'),
        });
    }
    yield line({ checkpoint: note });
  }
}

function line(value: ExportedLine): Buffer {
  return Buffer.from(`${JSON.stringify(value)}\n`);
}
