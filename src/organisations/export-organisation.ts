import { Injectable, type OnModuleInit } from '@nestjs/common';
import { EventRecorder, ExportLog } from '../audit/index.js';
import { KeysDestroyed } from '../encryption/index.js';
import {
  OperationFailed,
  OperationRunner,
  Operations,
  type NewOperation,
  type Operation,
  type StepResult,
} from '../operations/index.js';
import type { RegistryTransaction, TenantId } from '../platform/database/index.js';
import { TenantRegistry, type Tenant } from '../tenancy/index.js';
import { EXPORTED_TABLES } from './export-plan.js';
import { ExportRows } from './export-rows.js';
import { ExportStore } from './export-store.js';

export const EXPORT = 'tenant.export';
const DISCARD = 'tenant.export_discard';
/** What was being served when the deletion began is over by then. */
const SETTLED_SECONDS = 5;
const PART_BYTES = 4 * 1_024 ** 2;
/** After the tables comes the log. */
const LOG = EXPORTED_TABLES.length;

/** How far an export is: what the next part is, and of which table, after which key. */
interface Position {
  readonly part: number;
  readonly table: number;
  readonly after?: readonly string[];
}

/** Writes down everything that an organisation has, when its deletion begins: a part at a time, so that it goes on anywhere. */
@Injectable()
export class ExportOrganisation implements OnModuleInit {
  constructor(
    private readonly runner: OperationRunner,
    private readonly operations: Operations,
    private readonly tenants: TenantRegistry,
    private readonly rows: ExportRows,
    private readonly auditLog: ExportLog,
    private readonly store: ExportStore,
    private readonly events: EventRecorder,
  ) {}

  onModuleInit(): void {
    this.runner.register(EXPORT, { write: (operation, signal) => this.#writeIfReadable(operation, signal) });
    this.runner.register(DISCARD, { discard: (operation, signal) => this.#discard(operation, signal) });
  }

  /** As part of the deletion. */
  begin(registry: RegistryTransaction, tenant: TenantId): Promise<string> {
    const position: Position = { part: 1, table: 0 };
    const first: NewOperation = { kind: EXPORT, tenant, step: 'write', data: { ...position } };
    return this.operations.start(registry, { ...first, afterSeconds: SETTLED_SECONDS });
  }

  /** As part of what takes the deletion back: nobody keeps a copy of an organisation that lives. */
  async takeBack(registry: RegistryTransaction, tenant: TenantId): Promise<void> {
    const latest = await this.latest(tenant);
    // One that a process works on at this moment sees that the organisation lives, and ends; its objects go too.
    await this.operations.cancel(registry, tenant, EXPORT);
    if (!latest) return;
    const discard = { kind: DISCARD, tenant, step: 'discard', data: { export: latest.id } };
    await this.operations.start(registry, { ...discard, afterSeconds: SETTLED_SECONDS });
  }

  /** Ends it for good before a purge; false while a process still works on it. */
  async stop(registry: RegistryTransaction, tenant: TenantId): Promise<boolean> {
    await this.operations.cancel(registry, tenant, EXPORT);
    return (await this.latest(tenant))?.status !== 'running';
  }

  async latest(tenant: TenantId): Promise<Operation | undefined> {
    const known = await this.operations.ofTenant(tenant, 200);
    return known.find(({ kind }) => kind === EXPORT);
  }

  /** Of an organisation whose keys were destroyed there is nothing to be written down. */
  async #writeIfReadable(operation: Operation, signal: AbortSignal): Promise<StepResult> {
    try {
      return await this.#write(operation, signal);
    } catch (error) {
      throw error instanceof KeysDestroyed ? new OperationFailed(error.message) : error;
    }
  }

  async #write({ id, tenant: tenantId, data }: Operation, signal: AbortSignal): Promise<StepResult> {
    const tenant = await this.tenants.current(tenantId);
    if (tenant?.status !== 'deleting') return 'done';
    const position = data as unknown as Position;
    signal.throwIfAborted();
    const next = await this.#part(tenant, id, position);
    if (next) return { again: 0, data: { ...next } };
    const { counts, parts } = await this.store.putManifest(tenant, id, position.part - 1);
    await this.events.record(tenant, {
      action: 'organisation.export_written',
      actor: { type: 'system', id: 'operations' },
      outcome: 'success',
      resource: { type: 'tenant', id: tenant.id },
      changes: { counts, parts: parts.length },
    });
    return 'done';
  }

  /** Writes the part at a position, if there is anything left; answers the next position. */
  async #part(tenant: Tenant, id: string, { part, table, after }: Position): Promise<Position | undefined> {
    const exported = EXPORTED_TABLES[table];
    if (!exported) {
      const seq = Number(after?.[0] ?? 0);
      const events = await this.auditLog.after(tenant, seq, PART_BYTES);
      const last = events.at(-1);
      if (!last) return undefined;
      const lines = events.map((audit) => JSON.stringify({ audit }));
      await this.store.putPart(tenant, id, part, 'audit', lines);
      return { part: part + 1, table: LOG, after: [String(last.seq)] };
    }
    const { lines, last } = await this.rows.after(tenant, exported, after, PART_BYTES);
    if (!last) return { part, table: table + 1 };
    await this.store.putPart(tenant, id, part, exported.table, lines);
    return { part: part + 1, table, after: last };
  }

  async #discard({ tenant: tenantId, data }: Operation, signal: AbortSignal): Promise<StepResult> {
    const tenant = await this.tenants.current(tenantId);
    if (!tenant || tenant.status === 'purging') return 'done';
    const id = String(data['export']);
    const writing = await this.operations.byId(tenantId, id);
    if (writing?.status === 'running') return { again: 2 };
    await this.store.discard(tenant, id, signal);
    return 'done';
  }
}
