import { Injectable, type OnModuleInit } from '@nestjs/common';
import { CloseLog, EventRecorder, type AuditEvent } from '../audit/index.js';
import { KeyRing } from '../encryption/index.js';
import {
  OperationFailed,
  OperationRunner,
  type Operation,
  type Step,
  type StepResult,
} from '../operations/index.js';
import { Cells, Provisioning, type TenantRef } from '../platform/database/index.js';
import type { AuditAction } from '../platform/events/index.js';
import { RetainedObjects, TenantObjects } from '../platform/objects/index.js';
import { RegistryWork } from '../requests/index.js';
import { LegalHolds } from '../retention/index.js';
import { RunDispatch } from '../runs/index.js';
import { TenantRegistry, type Tenant } from '../tenancy/index.js';
import { ExportOrganisation } from './export-organisation.js';
import { statusAfter } from './lifecycle.js';

export const PURGE = 'tenant.purge';
const OBJECTS_PAGE = 200;

type PurgeStep = (tenant: TenantRef, signal: AbortSignal) => Promise<Record<string, unknown> | 'again'>;

/**
 * Takes everything of an organisation away, whose grace is over. Each step may be repeated, as a process may die after
 * any of them, and each is told to the installation's log. What is left is its id, and the proof of its log.
 *
 * The keys go first of what is: from then on nothing that is left can be read. The schema and its role follow, so that nothing new
 * can come; then what lies outside of it.
 */
@Injectable()
export class PurgeOrganisation implements OnModuleInit {
  readonly #order: readonly (readonly [string, PurgeStep])[];

  constructor(
    private readonly runner: OperationRunner,
    private readonly tenants: TenantRegistry,
    private readonly work: RegistryWork,
    private readonly events: EventRecorder,
    private readonly keys: KeyRing,
    private readonly provisioning: Provisioning,
    private readonly runs: RunDispatch,
    private readonly objects: TenantObjects,
    private readonly retained: RetainedObjects,
    private readonly auditLog: CloseLog,
    private readonly cells: Cells,
    private readonly exports: ExportOrganisation,
    private readonly holds: LegalHolds,
  ) {
    this.#order = [
      ['export', async (tenant) => this.#endExport(tenant)],
      ['keys', async (tenant) => ({ keys: await this.keys.condemn(tenant) })],
      ['schema', async (tenant) => this.provisioning.dropTenant(tenant).then(() => ({}))],
      ['runs', async (tenant) => ((await this.runs.forget(tenant)) > 0 ? 'again' : {})],
      ['log', async (tenant) => ({ log: await this.auditLog.close(tenant) })],
      ['objects', async (tenant, signal) => this.#objects(tenant, signal)],
      ['events', async (tenant, signal) => this.auditLog.erase(tenant, signal).then(() => ({}))],
    ];
  }

  onModuleInit(): void {
    const steps = this.#order.map(([name, step], at): [string, Step] => [
      name,
      this.#step(name, step, this.#order[at + 1]?.[0] ?? 'registry'),
    ]);
    this.runner.register(PURGE, {
      refuse: (operation) => this.#refuse(operation),
      ...Object.fromEntries(steps),
      registry: (operation) => this.#forget(operation),
    });
  }

  /** From here on there is no way back: no process knows the organisation any more. */
  async #refuse({ tenant: id }: Operation): Promise<StepResult> {
    const tenant = await this.tenants.current(id);
    if (tenant?.status === 'purging') return { next: 'export' };
    if (tenant?.status !== 'deleting' || !tenant.deleteAfter)
      throw new OperationFailed('The organisation is not to be deleted any more.');
    const soon = tenant.deleteAfter.getTime() - Date.now();
    // A clock that was set back: nobody purges before the time that was promised.
    if (soon > 1_000) return { again: Math.ceil(soon / 1_000) };
    await this.work.runAs(
      id,
      () => purgeEvent('tenant.purge_begun', id),
      async (registry) => {
        const status = statusAfter('purge', await this.tenants.locked(registry, id));
        // Set while it waited: it is tried again until the hold is lifted, or the deletion taken back.
        await this.holds.requireNone(registry, { id });
        const text = 'UPDATE control.tenants SET status = $2, version = version + 1 WHERE id = $1';
        await registry.query({ text, values: [id, status] });
      },
    );
    // What was being served at this moment ends meanwhile; what does not, the steps themselves hold against.
    return { next: 'export', afterSeconds: 1 };
  }

  #step(name: string, step: PurgeStep, next: string): Step {
    return async ({ tenant: id, data }, signal) => {
      const tenant = await this.#purging(id);
      const found = await step(tenant, signal);
      if (found === 'again') return { again: 2 };
      await this.events.record(undefined, purgeEvent('tenant.purge_advanced', id, { step: name, ...found }));
      return { next, data: { ...data, ...found } };
    };
  }

  async #purging(id: Operation['tenant']): Promise<Tenant> {
    const tenant = await this.tenants.current(id);
    if (tenant?.status !== 'purging') throw new OperationFailed('The organisation is not being purged.');
    if (!this.cells.has(tenant.cell)) throw new Error(`This process has no connection to ${tenant.cell}.`);
    return tenant;
  }

  /** An export that is being written would put objects where there are to be none. */
  async #endExport({ id }: TenantRef): Promise<Record<string, unknown> | 'again'> {
    const ended = await this.work.bookkeeping('the purge itself is the event', id, (registry) =>
      this.exports.stop(registry, id),
    );
    return ended ? {} : 'again';
  }

  /** What is locked until a time stays until then, and is noted: objects of the log, which nobody can read any more. */
  async #objects(tenant: TenantRef, signal: AbortSignal): Promise<Record<string, unknown>> {
    let objects = 0;
    const retained: Date[] = [];
    for (let after: string | undefined; ;) {
      const keys = await this.objects.list(tenant, {
        ...(after !== undefined && { after }),
        limit: OBJECTS_PAGE,
      });
      for (const key of keys) {
        signal.throwIfAborted();
        const until = await this.retained.deleteOrNote(tenant, key);
        if (until) retained.push(until);
      }
      objects += keys.length;
      after = keys.at(-1);
      if (keys.length < OBJECTS_PAGE) break;
    }
    const last = retained.reduce((latest, until) => (until > latest ? until : latest), new Date(0));
    return {
      objects: objects - retained.length,
      ...(retained.length > 0 && { retained: { objects: retained.length, until: last.toISOString() } }),
    };
  }

  /** The entry, its names and its notices go; the tombstone comes; the proof of the log is in the event. */
  async #forget({ tenant: id, data }: Operation): Promise<StepResult> {
    if (await this.tenants.purgedAt(id)) return 'done';
    await this.work.runAs(
      id,
      () =>
        purgeEvent('tenant.purged', id, { log: data['log'], keys: data['keys'], retained: data['retained'] }),
      async (registry) => {
        await registry.query({ text: 'DELETE FROM control.tenants WHERE id = $1', values: [id] });
        // Whatever else was to be done to it.
        const others = `DELETE FROM control.operations WHERE tenant = $1 AND kind <> $2 AND status = 'running'`;
        await registry.query({ text: others, values: [id, PURGE] });
        await registry.query({ text: 'DELETE FROM control.key_schedules WHERE tenant = $1', values: [id] });
        await registry.query({ text: 'DELETE FROM control.customer_keys WHERE tenant = $1', values: [id] });
        const text = 'INSERT INTO control.tombstones (id) VALUES ($1)';
        await registry.query({ text, values: [id] });
      },
    );
    return 'done';
  }
}

function purgeEvent(action: AuditAction, id: string, changes?: Record<string, unknown>): AuditEvent {
  return {
    action,
    actor: { type: 'system', id: 'operations' },
    outcome: 'success',
    resource: { type: 'tenant', id },
    ...(changes && { changes }),
  };
}
