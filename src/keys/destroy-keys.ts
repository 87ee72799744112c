import { Injectable, type OnModuleInit } from '@nestjs/common';
import { KeyRing } from '../encryption/index.js';
import {
  OperationFailed,
  OperationRunner,
  Operations,
  type Operation,
  type StepResult,
} from '../operations/index.js';
import {
  announce,
  Cells,
  TenantDatabase,
  type RegistryTransaction,
  type TenantId,
} from '../platform/database/index.js';
import { RegistryWork, UnitOfWork } from '../requests/index.js';
import { TenantRegistry, type Tenant } from '../tenancy/index.js';
import { SHORTEST_WAIT_DAYS } from './keys.dto.js';
import { keysEvent } from './rotate-keys.js';

export const DELETION = 'keys.deletion';
const DAY_MS = 86_400_000;
/** One that is early, because somebody has changed when it is due, looks again this often. */
const LOOK_AGAIN_SECONDS = 3_600;

/** When the keys are destroyed: never sooner than after seven days, whatever was written down. */
export function deletionDue({ createdAt, data }: Operation): Date {
  return new Date(createdAt.getTime() + waitDays(data) * DAY_MS);
}

function waitDays(data: Operation['data']): number {
  return Math.max(SHORTEST_WAIT_DAYS, Number(data['waitDays']) || 0);
}

/**
 * Destroys a tenant's keys when the time in which it can be cancelled is over: first what is stored of them, then the key
 * in the KMS, which has a waiting time of its own. From the first on, what they have sealed is gone.
 */
@Injectable()
export class DestroyKeys implements OnModuleInit {
  constructor(
    private readonly runner: OperationRunner,
    private readonly operations: Operations,
    private readonly tenants: TenantRegistry,
    private readonly cells: Cells,
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
    private readonly registry: RegistryWork,
    private readonly keys: KeyRing,
  ) {}

  onModuleInit(): void {
    this.runner.register(DELETION, {
      destroy: (operation) => this.#destroy(operation),
      condemn: (operation) => this.#condemn(operation),
    });
  }

  /** As part of the registry change that calls for it. @throws {OperationUnderWay} */
  schedule(registry: RegistryTransaction, tenant: TenantId, days: number): Promise<string> {
    const afterSeconds = (days * DAY_MS) / 1_000;
    return this.operations.start(registry, {
      kind: DELETION,
      tenant,
      step: 'destroy',
      data: { waitDays: days },
      afterSeconds,
    });
  }

  async #destroy(operation: Operation): Promise<StepResult> {
    const tenant = await this.#tenant(operation.tenant);
    const early = await this.#secondsLeft(operation);
    if (early > 0) return { again: Math.min(early, LOOK_AGAIN_SECONDS) };
    await this.database.within(tenant, async () => {
      const left = await this.database.query({
        text: `SELECT 1 FROM encryption_keys WHERE state <> 'destroyed' LIMIT 1`,
        values: [],
      });
      if (left.length === 0) return;
      await this.work.runAs(
        () => keysEvent('keys.destroyed', tenant.id),
        async () => {
          await this.database.query({
            text: `UPDATE encryption_keys SET state = 'destroyed', wrapped = '', inner_wrapped = NULL, wrapped_by = NULL,
              revision = revision + 1`,
            values: [],
          });
          await this.database.query(announce({ kind: 'keys', tenant: tenant.id, id: tenant.id }));
        },
      );
    });
    return { next: 'condemn', data: operation.data };
  }

  /** There is nothing left to be rotated. */
  async #condemn({ tenant: id }: Operation): Promise<StepResult> {
    await this.keys.condemn(await this.#tenant(id));
    await this.registry.bookkeeping('part of the destruction, which is an event', id, (registry) =>
      registry.query({ text: 'DELETE FROM control.key_schedules WHERE tenant = $1', values: [id] }),
    );
    return 'done';
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
