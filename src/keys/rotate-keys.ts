import { Injectable, type OnModuleInit } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import type { AuditEvent } from '../audit/index.js';
import {
  KeyRing,
  KeySchedules,
  KeysDestroyed,
  keyServiceFault,
  type KeyState,
  KeyTimes,
  type KmsKey,
  type NewKeyVersion,
  NewKeyVersions,
} from '../encryption/index.js';
import {
  OperationFailed,
  OperationRunner,
  Operations,
  type Operation,
  type Step,
  type StepResult,
} from '../operations/index.js';
import {
  announce,
  Cells,
  PLATFORM_TENANT,
  TenantDatabase,
  type RegistryTransaction,
  type TenantId,
  type TenantRef,
} from '../platform/database/index.js';
import { UnitOfWork } from '../requests/index.js';
import { TenantRegistry } from '../tenancy/index.js';
import { ReplaceIndex } from './replace-index.js';
import { RewrapPersons } from './rewrap-persons.js';
import { RewrapValues } from './rewrap-values.js';

export const ROTATION = 'keys.rotation';

/** Why a key is replaced. */
export type RotationReason = 'due' | 'asked' | 'customer_key_attached' | 'customer_key_detached';

type RotationStep = (tenant: TenantRef, operation: Operation, signal: AbortSignal) => Promise<StepResult>;

/**
 * Replaces a tenant's keys while it is served. From the first step on, new values are sealed with the new field key; the
 * others bring what is stored over to it, and fill the blind indexes under the new index key. Each may be repeated.
 */
@Injectable()
export class RotateKeys implements OnModuleInit {
  constructor(
    private readonly runner: OperationRunner,
    private readonly operations: Operations,
    private readonly tenants: TenantRegistry,
    private readonly cells: Cells,
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
    private readonly keys: KeyRing,
    private readonly versions: NewKeyVersions,
    private readonly schedules: KeySchedules,
    private readonly times: KeyTimes,
    private readonly persons: RewrapPersons,
    private readonly values: RewrapValues,
    private readonly index: ReplaceIndex,
  ) {}

  onModuleInit(): void {
    this.runner.register(ROTATION, {
      version: this.#step((tenant, operation) => this.#version(tenant, operation)),
      persons: this.#step((tenant, { data }, signal) => this.persons.step(tenant, data, 'rewrap', signal)),
      rewrap: this.#step((tenant, { data }, signal) => this.values.step(tenant, data, 'fill', signal)),
      fill: this.#step((tenant, { data }, signal) => this.index.fill(tenant, data, 'switch', signal)),
      switch: this.#step((tenant, { data }) => this.#switchIndex(tenant, data)),
      clear: this.#step((tenant, { data }, signal) => this.index.clear(tenant, data, 'retire', signal)),
      retire: this.#step((tenant, { data }) => this.#retire(tenant, data)),
    });
  }

  /** As part of the registry change that calls for it. @throws {OperationUnderWay} */
  begin(
    registry: RegistryTransaction,
    tenant: TenantId,
    reason: RotationReason,
    under?: KmsKey,
  ): Promise<string> {
    // Ids of keys are in the order of time; drawn here, so that a repeated step makes no second one.
    const data = { reason, kek: uuidv7(), index: uuidv7(), ...(under && { under }) };
    return this.operations.start(registry, { kind: ROTATION, tenant, step: 'version', data });
  }

  #step(step: RotationStep): Step {
    return async (operation, signal) => {
      try {
        return await step(await this.#tenant(operation.tenant), operation, signal);
      } catch (error) {
        throw error instanceof KeysDestroyed ? new OperationFailed('The keys were destroyed.') : error;
      }
    };
  }

  async #tenant(id: TenantId): Promise<TenantRef> {
    if (id === PLATFORM_TENANT) return this.cells.home.tenant(id);
    const tenant = await this.tenants.current(id);
    if (!tenant || tenant.status === 'purging') throw new OperationFailed('The organisation is gone.');
    if (!this.cells.has(tenant.cell)) throw new Error(`This process has no connection to ${tenant.cell}.`);
    return tenant;
  }

  async #version(tenant: TenantRef, { data }: Operation): Promise<StepResult> {
    const kek = String(data['kek']);
    const next = await this.#next(tenant, data);
    if (next) {
      const changes = { kek, reason: data['reason'] };
      await this.#commit(tenant, keysEvent('keys.rotated', tenant.id, changes), async () => {
        if ((await this.keys.lock()) !== next.before) throw new Error('The keys have changed meanwhile.');
        for (const statement of next.statements) await this.database.query(statement);
      });
    }
    const { since } = await this.keys.reread(tenant);
    await this.schedules.count({ tenant: tenant.id, kek, since }, 0);
    return { next: 'persons', data, afterSeconds: this.times.settle / 1_000 };
  }

  /** Attaching a customer's key that does not work any more is given up: else nothing else could be done to the keys. */
  async #next(tenant: TenantRef, data: Operation['data']): Promise<NewKeyVersion | undefined> {
    const under = data['under'] as KmsKey | undefined;
    try {
      return await this.versions.next(tenant, String(data['kek']), String(data['index']), under);
    } catch (error) {
      if (under?.custody !== 'customer' || keyServiceFault(error) !== 'refusal') throw error;
      throw new OperationFailed(
        `The customer's key is refused: ${String((error as { code?: unknown }).code)}.`,
      );
    }
  }

  /** From here on the new index key is the one, and the column of the old one is written no more. */
  async #switchIndex(tenant: TenantRef, data: Operation['data']): Promise<StepResult> {
    await this.database.within(tenant, () =>
      this.work.bookkeeping('part of the rotation, which is an event', async () => {
        await this.keys.lock();
        if (!(await this.#has('filling'))) return;
        for (const [from, to] of [
          ['current', 'draining'],
          ['filling', 'current'],
        ])
          await this.database.query({
            text: `UPDATE encryption_keys SET state = $2, revision = revision + 1 WHERE purpose = 'index' AND state = $1`,
            values: [from, to],
          });
        await this.#announce(tenant);
      }),
    );
    return { next: 'clear', data };
  }

  /** Nothing in the tenant's tables needs the older keys any more. They stay, for events and exports. */
  async #retire(tenant: TenantRef, data: Operation['data']): Promise<StepResult> {
    const { kek, values, persons, unreadable } = data;
    if (!(await this.database.within(tenant, () => this.#has('opens', 'draining')))) return 'done';
    await this.#commit(
      tenant,
      keysEvent('keys.rewrapped', tenant.id, { kek, values, persons, unreadable }),
      () =>
        this.database.query({
          text: `UPDATE encryption_keys SET state = 'retired' WHERE state IN ('opens', 'draining')`,
          values: [],
        }),
    );
    return 'done';
  }

  async #commit(tenant: TenantRef, event: AuditEvent, work: () => Promise<unknown>): Promise<void> {
    await this.database.within(tenant, () =>
      this.work.runAs(
        () => event,
        async () => {
          await work();
          await this.#announce(tenant);
        },
      ),
    );
  }

  async #has(...states: KeyState[]): Promise<boolean> {
    const text = 'SELECT 1 FROM encryption_keys WHERE state = ANY ($1) LIMIT 1';
    return (await this.database.query({ text, values: [states] })).length > 0;
  }

  async #announce({ id }: TenantRef): Promise<void> {
    await this.database.query(announce({ kind: 'keys', tenant: id, id }));
  }
}

export function keysEvent(
  action: AuditEvent['action'],
  id: string,
  changes?: Record<string, unknown>,
): AuditEvent {
  return {
    action,
    actor: { type: 'system', id: 'operations' },
    outcome: 'success',
    resource: { type: 'tenant', id },
    ...(changes && { changes }),
  };
}
