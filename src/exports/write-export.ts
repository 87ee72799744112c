import { Injectable, type OnModuleInit } from '@nestjs/common';
import { AuditLog, ColdLog, EventRecorder, SearchLog } from '../audit/index.js';
import { OperationFailed, OperationRunner, type Operation, type StepResult } from '../operations/index.js';
import type { TenantRef } from '../platform/database/index.js';
import { cursorOf } from '../platform/http/pagination.js';
import { TenantRegistry } from '../tenancy/index.js';
import { WRITERS } from './export-format.js';
import { ExportParts, PartMissing } from './export-parts.js';
import { ExportRows, type SavedExport } from './export-rows.js';

export const SAVED_EXPORT = 'audit.saved_export';
/** Bytes of one part: with a page of events more, all of an export that is ever in memory. */
const PART_BYTES = 1_048_576;
const PAGE = 200;
const MOST_EVENTS = 1_000_000;
/** Its row is written right after the operation was begun, or never. */
const ROW_WITHIN_MS = 60_000;

/** How far an export is: what the next part is, and where its search goes on. */
interface Position {
  readonly part: number;
  readonly events: number;
  readonly cursor?: string;
}

export const BEGINNING: Position = { part: 1, events: 0 };

/**
 * Writes down what a search finds, a part at a time. A step that is repeated makes the same part again: what is searched
 * ends with the event that was the last when the export was asked for.
 */
@Injectable()
export class WriteExport implements OnModuleInit {
  constructor(
    private readonly runner: OperationRunner,
    private readonly tenants: TenantRegistry,
    private readonly rows: ExportRows,
    private readonly parts: ExportParts,
    private readonly search: SearchLog,
    private readonly log: AuditLog,
    private readonly cold: ColdLog,
    private readonly events: EventRecorder,
  ) {}

  onModuleInit(): void {
    this.runner.register(SAVED_EXPORT, {
      write: (operation, signal) =>
        this.#on(operation, (tenant, row) => this.#write(tenant, row, operation, signal)),
      finish: (operation, signal) =>
        this.#on(operation, (tenant, row) => this.#finish(tenant, row, operation, signal)),
    });
  }

  async #on(
    { tenant: id, data, createdAt }: Operation,
    step: (tenant: TenantRef, row: SavedExport) => Promise<StepResult>,
  ): Promise<StepResult> {
    const tenant = await this.tenants.current(id);
    if (!tenant) throw new OperationFailed('The organisation is gone.');
    const row = await this.rows.get(tenant, String(data['export']));
    if (!row) return Date.now() - createdAt.getTime() < ROW_WITHIN_MS ? { again: 1 } : 'done';
    return row.status === 'WRITING' ? step(tenant, row) : 'done';
  }

  async #write(
    tenant: TenantRef,
    { id, format, filter, last }: SavedExport,
    { data }: Operation,
    signal: AbortSignal,
  ): Promise<StepResult> {
    const position = data as unknown as Position;
    const writer = WRITERS[format];
    const lines = position.part === 1 ? [writer.beginning] : [];
    let { events } = position;
    let cursor: string | undefined = position.cursor ?? cursorOf(String(last + 1));
    for (let bytes = 0; bytes < PART_BYTES && cursor !== undefined;) {
      signal.throwIfAborted();
      const page = await this.search.execute(tenant, { ...filter, limit: PAGE, cursor });
      const more = page.items.map((event) => writer.line(event));
      lines.push(...more);
      events += more.length;
      bytes += more.reduce((sum, line) => sum + Buffer.byteLength(line), 0);
      cursor = page.nextCursor;
    }
    if (events > MOST_EVENTS)
      return this.#fail(tenant, id, `It has more than ${MOST_EVENTS} events: export less at a time.`);
    const content = Buffer.from(lines.join(''));
    if (content.length > 0) await this.parts.put(tenant, id, position.part, content);
    // Taken away meanwhile, perhaps before this part was there.
    if (!(await this.rows.get(tenant, id))) {
      await this.parts.discard(tenant, id, signal);
      return 'done';
    }
    const part = position.part + (content.length > 0 ? 1 : 0);
    const next = { export: id, part, events, ...(cursor !== undefined && { cursor }) };
    return cursor === undefined ? { next: 'finish', data: next } : { again: 0, data: next };
  }

  async #finish(
    tenant: TenantRef,
    { id, first, format }: SavedExport,
    { data }: Operation,
    signal: AbortSignal,
  ): Promise<StepResult> {
    await this.log.requireOpen(tenant);
    if ((await this.cold.through(tenant)) >= first)
      return this.#fail(
        tenant,
        id,
        'Events of it went to cold storage while it was written. Order it once more.',
      );
    const { part, events } = data as unknown as Position;
    const parts = part - 1;
    try {
      const { bytes, sha256 } = await this.parts.digest(tenant, id, parts, signal);
      // The event first: nothing is to be had of an export that the log does not tell of.
      await this.events.record(tenant, {
        action: 'audit_export.completed',
        actor: { type: 'system', id: 'operations' },
        outcome: 'success',
        resource: { type: 'audit_export', id },
        changes: { format, events, bytes, sha256: sha256.toString('hex') },
      });
      await this.rows.ready(tenant, id, { events, bytes, sha256, parts });
      return 'done';
    } catch (error) {
      if (!(error instanceof PartMissing)) throw error;
      return { next: 'write', data: { export: id, ...BEGINNING } };
    }
  }

  async #fail(tenant: TenantRef, id: string, reason: string): Promise<StepResult> {
    await this.events.record(tenant, {
      action: 'audit_export.completed',
      actor: { type: 'system', id: 'operations' },
      outcome: 'failure',
      resource: { type: 'audit_export', id },
    });
    await this.rows.failed(tenant, id, reason);
    return 'done';
  }
}
