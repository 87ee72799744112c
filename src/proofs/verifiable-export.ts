import { Injectable } from '@nestjs/common';
import { ColdLog, eventLine, LogReader, type LogBeginning } from '../audit/index.js';
import type { TenantRef } from '../platform/database/index.js';
import { JsonLines } from '../platform/http/streamed-answer.js';
import { ProveLog } from './prove-log.js';

const PAGE_BYTES = 1_048_576;

/**
 * A tenant's log for whoever verifies it without us: `wax audit verify`. A line for each event, as it was hashed and with
 * its link of the chain; the last line is the signed checkpoint that covers them. Where the log's beginning is gone as its
 * time was over, the first line says how chain and tree stood after it. Personal parts stay as they were hashed: sealed.
 */
@Injectable()
export class VerifiableExport {
  constructor(
    private readonly reader: LogReader,
    private readonly cold: ColdLog,
    private readonly prove: ProveLog,
  ) {}

  /** From an event's number on, up to the newest checkpoint. */
  async execute(tenant: TenantRef, from: number): Promise<JsonLines> {
    const { size, note } = await this.prove.current(tenant);
    const beginning = await this.cold.beginning(tenant);
    const first = Math.max(from, beginning.seq + 1);
    const lines = () => this.#lines(tenant, first, size, note, beginning);
    return new JsonLines(`audit-${tenant.id}-${first}-${size}.jsonl`, lines);
  }

  async *#lines(
    tenant: TenantRef,
    from: number,
    size: number,
    note: string,
    { seq: before, chain, frontier }: LogBeginning,
  ): AsyncGenerator<Buffer> {
    if (before > 0 && from === before + 1)
      yield line({ after: before, chain: chain.toString('base64'), frontier: frontier.toString('base64') });
    for (let last = from - 1; last < size;) {
      const events = await this.reader.after(tenant, last, PAGE_BYTES);
      for (const event of events) if (event.seq <= size) yield eventLine(event);
      if (events.length === 0) break;
      last = events.at(-1)?.seq ?? size;
    }
    yield line({ checkpoint: note });
  }
}

function line(value: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(value)}\n`);
}
