import { Injectable, type OnModuleInit } from '@nestjs/common';
import { EventRecorder } from '../audit/index.js';
import { KeyRing } from '../encryption/index.js';
import {
  OperationFailed,
  OperationRunner,
  Operations,
  OperationUnderWay,
  type Operation,
  type Step,
  type StepResult,
} from '../operations/index.js';
import { Cells, type RegistryTransaction, type TenantId } from '../platform/database/index.js';
import { RegistryWork } from '../requests/index.js';
import { TenantRegistry, type Tenant } from '../tenancy/index.js';
import { DeletionMail, type DeletionWord } from './deletion-mail.js';
import { SHORTEST_WAIT_DAYS } from './keys.dto.js';
import { WipeKeys } from './wipe-keys.js';

export const DELETION = 'keys.deletion';
/** Tells that a deletion was cancelled. */
const CANCELLATION = 'keys.deletion_cancelled';
const DAY_SECONDS = 86_400;
const DAY_MS = DAY_SECONDS * 1_000;
/** Until the last of them is over nothing is destroyed: they are what can be cancelled. */
export const CANCELLABLE: readonly string[] = ['announce', 'remind', 'destroy'];
/** One that is early, because somebody has changed when it is due, looks again this often. */
const LOOK_AGAIN_SECONDS = 3_600;
/** Between two tries of a mail server that takes nothing. */
const MAIL_AGAIN_SECONDS = 30;
/** For so long it keeps no destruction waiting that is due. */
const MAIL_AT_MOST_SECONDS = 3_600;

/** When the keys are destroyed: never sooner than after seven days, whatever was written down. */
export function deletionDue({ createdAt, data }: Operation): Date {
  return new Date(createdAt.getTime() + waitDays(data) * DAY_MS);
}

function waitDays(data: Operation['data']): number {
  return Math.max(SHORTEST_WAIT_DAYS, Number(data['waitDays']) || 0);
}

/** A deletion that begins; its event, as it is to stand in the organisation's own log. */
export interface NewDeletion {
  readonly id: string;
  readonly waitDays: number;
  readonly event: Buffer;
}

/**
 * Destroys a tenant's keys when the time in which it can be cancelled is over, and tells whoever administers it: when it
 * is scheduled, in the last day, and when it begins. That is noted before anything is wiped; then goes what is stored of
 * the keys, then the key in the KMS, which has a waiting time of its own.
 */
@Injectable()
export class DestroyKeys implements OnModuleInit {
  constructor(
    private readonly runner: OperationRunner,
    private readonly operations: Operations,
    private readonly tenants: TenantRegistry,
    private readonly cells: Cells,
    private readonly registry: RegistryWork,
    private readonly events: EventRecorder,
    private readonly keys: KeyRing,
    private readonly wiping: WipeKeys,
    private readonly mail: DeletionMail,
  ) {}

  onModuleInit(): void {
    const steps: Readonly<Record<string, Step>> = {
      announce: (operation, signal) => this.#announce(operation, signal),
      remind: (operation, signal) => this.#remind(operation, signal),
      destroy: (operation) => this.#destroy(operation),
      tell: (operation, signal) => this.#tell(operation, signal),
      wipe: (operation, signal) => this.#wipe(operation, signal),
      condemn: (operation) => this.#condemn(operation),
    };
    this.runner.register(DELETION, steps);
    this.runner.register(CANCELLATION, {
      announce: (operation, signal) => this.#announceEnd(operation, signal),
    });
  }

  /** As part of the registry change that calls for it. @throws {OperationUnderWay} */
  schedule(
    registry: RegistryTransaction,
    tenant: TenantId,
    { id, waitDays: days, event }: NewDeletion,
  ): Promise<string> {
    const data = { waitDays: days, events: [event.toString('base64')] };
    return this.operations.start(registry, { id, kind: DELETION, tenant, step: 'announce', data });
  }

  /**
   * As part of the registry change that takes it back; `event` is that change's. `begun` when it is too late. `untold` where
   * an earlier cancellation is still being told: the event is left to the caller.
   */
  async cancel(
    registry: RegistryTransaction,
    tenant: TenantId,
    event: Buffer,
  ): Promise<'begun' | 'told' | 'untold'> {
    const ended = await this.operations.cancelAt(registry, tenant, DELETION, CANCELLABLE);
    if (!ended) return 'begun';
    // What was not delivered yet of the deletion itself.
    const events = [...eventsOf(ended.data), event.toString('base64')];
    try {
      const begun = { kind: CANCELLATION, tenant, step: 'announce', data: { events } };
      await this.operations.start(registry, begun);
      return 'told';
    } catch (error) {
      if (error instanceof OperationUnderWay) return 'untold';
      throw error;
    }
  }

  async #announce(operation: Operation, signal: AbortSignal): Promise<StepResult> {
    const tenant = await this.#tenant(operation.tenant);
    const delivered = await this.#delivered(tenant, operation);
    if (delivered) return delivered;
    const left = await this.#secondsLeft(operation);
    const next = { next: 'remind', afterSeconds: Math.max(0, left - DAY_SECONDS) };
    return this.#mailed(tenant, operation, 'scheduled', next, left > DAY_SECONDS, signal);
  }

  async #announceEnd(operation: Operation, signal: AbortSignal): Promise<StepResult> {
    const tenant = await this.#tenant(operation.tenant);
    const delivered = await this.#delivered(tenant, operation);
    if (delivered) return delivered;
    const patient = Date.now() - operation.createdAt.getTime() < DAY_MS;
    return this.#mailed(tenant, operation, 'cancelled', 'done', patient, signal);
  }

  async #remind(operation: Operation, signal: AbortSignal): Promise<StepResult> {
    const left = await this.#secondsLeft(operation);
    if (left > DAY_SECONDS) return { again: Math.min(left - DAY_SECONDS, LOOK_AGAIN_SECONDS) };
    const next = { next: 'destroy', afterSeconds: Math.max(0, left) };
    if (left <= 0) return next;
    const tenant = await this.#tenant(operation.tenant);
    return this.#mailed(tenant, operation, 'last_day', next, true, signal);
  }

  async #destroy(operation: Operation): Promise<StepResult> {
    await this.#tenant(operation.tenant);
    const early = await this.#secondsLeft(operation);
    if (early > 0) return { again: Math.min(early, LOOK_AGAIN_SECONDS) };
    return { next: 'tell' };
  }

  /** Before the addresses are gone with the keys. */
  async #tell(operation: Operation, signal: AbortSignal): Promise<StepResult> {
    const tenant = await this.#tenant(operation.tenant);
    const patient = (await this.#secondsLeft(operation)) > -MAIL_AT_MOST_SECONDS;
    return this.#mailed(tenant, operation, 'begun', { next: 'wipe' }, patient, signal);
  }

  async #wipe(operation: Operation, signal: AbortSignal): Promise<StepResult> {
    await this.wiping.execute(await this.#tenant(operation.tenant), signal);
    return { next: 'condemn' };
  }

  /** There is nothing left to be rotated. */
  async #condemn({ tenant: id }: Operation): Promise<StepResult> {
    await this.keys.condemn(await this.#tenant(id));
    await this.registry.bookkeeping('part of the destruction, which is an event', id, (registry) =>
      registry.query({ text: 'DELETE FROM control.key_schedules WHERE tenant = $1', values: [id] }),
    );
    return 'done';
  }

  /** Events that the organisation's own log may not have yet: whoever was asked has put them there, unless it died. */
  async #delivered(tenant: Tenant, { data }: Operation): Promise<StepResult | undefined> {
    const events = eventsOf(data);
    if (events.length === 0) return undefined;
    for (const event of events)
      if (!(await this.events.deliver(tenant, Buffer.from(event, 'base64'))))
        throw new Error("The organisation's log is not open where the organisation is; it is moving.");
    const { events: _, ...rest } = data;
    return { again: 0, data: rest };
  }

  /** Tells a page of people, and goes on as said when all know, or when it is too late to be patient with a mail server. */
  async #mailed(
    tenant: Tenant,
    operation: Operation,
    word: DeletionWord,
    next: StepResult,
    patient: boolean,
    signal: AbortSignal,
  ): Promise<StepResult> {
    const { told, state } = await this.mail.page(tenant, operation, word, deletionDue(operation), signal);
    const { told: _, ...data } = operation.data;
    if (state === 'more') return { again: 0, data: { ...data, told } };
    if (state === 'stuck' && patient) return { again: MAIL_AGAIN_SECONDS, data: { ...data, told } };
    return next === 'done' ? next : { ...next, data };
  }

  /** By the clock of the database: a process whose clock is ahead destroys nothing early. */
  async #secondsLeft({ id, data }: Operation): Promise<number> {
    const { rows } = await this.cells.home.control.query<{ left: string }>(
      `SELECT ceil(extract(epoch FROM created_at + make_interval(days => $2) - now())) AS left
       FROM control.operations WHERE id = $1`,
      [id, waitDays(data)],
    );
    return Number(rows[0]?.left ?? Infinity);
  }

  async #tenant(id: TenantId): Promise<Tenant> {
    const tenant = await this.tenants.current(id);
    if (!tenant || tenant.status === 'purging') throw new OperationFailed('The organisation is gone.');
    if (!this.cells.has(tenant.cell)) throw new Error(`This process has no connection to ${tenant.cell}.`);
    return tenant;
  }
}

function eventsOf({ events }: Operation['data']): string[] {
  return Array.isArray(events) ? events.filter((event) => typeof event === 'string') : [];
}
