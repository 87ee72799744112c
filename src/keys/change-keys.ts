import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { EventRecorder, eventOfRequest, type AuditEvent } from '../audit/index.js';
import { CustomerKeys, KeyRing, KeySchedules, type KmsKey } from '../encryption/index.js';
import { OperationRunner, Operations, type Operation } from '../operations/index.js';
import type { RegistryTransaction, TenantId } from '../platform/database/index.js';
import type { AuditAction } from '../platform/events/index.js';
import { InvalidRequest, ResourceNotFound } from '../platform/http/errors.js';
import { auditDetails, currentRequest, type RequestTenant } from '../platform/http/request-context.js';
import { Log } from '../platform/observability/log.js';
import { RegistryWork } from '../requests/index.js';
import { CANCELLABLE, DELETION, DestroyKeys } from './destroy-keys.js';
import { KeyDeletionBegun, NoCustomerKey } from './keys.errors.js';
import type { AttachKeyDto, DeleteKeysDto, KeyDeletionDto, KeyRotationDto, KeysDto } from './keys.dto.js';
import { deletionDto, ReadKeys, rotationDto } from './read-keys.js';
import { RotateKeys } from './rotate-keys.js';

/** What an organisation's administrators do to its keys. */
@Injectable()
export class ChangeKeys {
  constructor(
    private readonly registry: RegistryWork,
    private readonly operations: Operations,
    private readonly runner: OperationRunner,
    private readonly keys: KeyRing,
    private readonly schedules: KeySchedules,
    private readonly customers: CustomerKeys,
    private readonly rotation: RotateKeys,
    private readonly destruction: DestroyKeys,
    private readonly reading: ReadKeys,
    private readonly events: EventRecorder,
    private readonly log: Log,
  ) {}

  async rotate(tenant: RequestTenant): Promise<KeyRotationDto> {
    // Refused here, and not by an operation that fails later, where there is nothing to rotate.
    await this.keys.of(tenant);
    const id = await this.#change(tenant.id, 'keys.rotation_requested', (registry) =>
      this.rotation.begin(registry, tenant.id, 'asked'),
    );
    this.runner.nudge();
    const operation = await this.#operation(tenant.id, id);
    auditDetails({ resource: { type: 'tenant', id: tenant.id }, changes: { operation: id } });
    return rotationDto(operation);
  }

  /** Verifies the key, and begins a rotation to keys that it alone opens. */
  async attach(tenant: RequestTenant, { arn, mode }: AttachKeyDto): Promise<KeyRotationDto> {
    await this.customers.verify(tenant, arn);
    const under: KmsKey = { kmsKeyId: arn, custody: 'customer', holds: mode === 'hold' };
    return this.#rotateTo(tenant, 'keys.customer_key_attached', under);
  }

  /** Begins a rotation to keys that the tenant's key of ours opens. The customer's is needed until it has begun. */
  async detach(tenant: RequestTenant): Promise<KeyRotationDto> {
    const { custody, ownKmsKeyId } = await this.keys.reread(tenant);
    if (custody !== 'customer') throw new NoCustomerKey();
    const under: KmsKey = { kmsKeyId: ownKmsKeyId, custody: 'ours' };
    return this.#rotateTo(tenant, 'keys.customer_key_detached', under);
  }

  async #rotateTo(
    tenant: RequestTenant,
    action: 'keys.customer_key_attached' | 'keys.customer_key_detached',
    under: KmsKey,
  ): Promise<KeyRotationDto> {
    const reason =
      action === 'keys.customer_key_attached' ? 'customer_key_attached' : 'customer_key_detached';
    const id = await this.#change(tenant.id, action, async (registry) => {
      if (under.custody === 'customer') await this.customers.claim(registry, tenant.id, under.kmsKeyId);
      return this.rotation.begin(registry, tenant.id, reason, under);
    });
    this.runner.nudge();
    const changes = { operation: id, key: under.kmsKeyId, ...(under.holds && { mode: 'hold' }) };
    auditDetails({ resource: { type: 'tenant', id: tenant.id }, changes });
    return rotationDto(await this.#operation(tenant.id, id));
  }

  async rotateAfter(tenant: RequestTenant, days: number): Promise<KeysDto> {
    const { since, currentId } = await this.keys.of(tenant);
    await this.schedules.count({ tenant: tenant.id, kek: currentId, since }, 0);
    await this.#change(tenant.id, 'keys.updated', (registry) =>
      this.schedules.rotateAfter(registry, { tenant: tenant.id, since }, days),
    );
    auditDetails({ resource: { type: 'tenant', id: tenant.id }, changes: { rotateAfterDays: days } });
    return this.reading.execute(tenant);
  }

  async scheduleDeletion(
    tenant: RequestTenant,
    { waitDays, confirm }: DeleteKeysDto,
  ): Promise<KeyDeletionDto> {
    if (confirm !== tenant.slug)
      throw new InvalidRequest([{ pointer: '/confirm', detail: "confirm must be the organisation's slug" }]);
    await this.keys.of(tenant);
    const id = uuidv7();
    const event = await this.#prepared(tenant, { operation: id, waitDays });
    await this.#change(tenant.id, 'keys.deletion_scheduled', (registry) =>
      this.destruction.schedule(registry, tenant.id, { id, waitDays, event }),
    );
    await this.#delivered(tenant, event);
    return deletionDto(await this.#operation(tenant.id, id));
  }

  /** @throws {KeyDeletionBegun} when its time is over */
  async cancelDeletion(tenant: RequestTenant): Promise<void> {
    const scheduled = await this.operations.running(tenant.id, DELETION);
    if (!scheduled) throw new ResourceNotFound('deletion of keys');
    if (!CANCELLABLE.includes(scheduled.step)) throw new KeyDeletionBegun();
    const event = await this.#prepared(tenant, { operation: scheduled.id });
    const told = await this.#change(tenant.id, 'keys.deletion_cancelled', async (registry) => {
      const cancelled = await this.destruction.cancel(registry, tenant.id, event);
      if (cancelled !== 'begun') return cancelled === 'told';
      // Somebody else may have cancelled it meanwhile.
      const left = await this.operations.byId(tenant.id, scheduled.id);
      throw left ? new KeyDeletionBegun() : new ResourceNotFound('deletion of keys');
    });
    if (told) await this.#delivered(tenant, event);
  }

  /** The request's event, which the operation keeps from the moment of the change on, should this process die. */
  #prepared(tenant: RequestTenant, changes: Record<string, unknown>): Promise<Buffer> {
    const request = currentRequest();
    if (!request) throw new Error('No request is being served.');
    auditDetails({ resource: { type: 'tenant', id: tenant.id }, changes });
    return this.events.prepared(tenant, eventOfRequest(request, 'success'));
  }

  /** Before the answer leaves; what fails here, the operation does. */
  async #delivered(tenant: RequestTenant, event: Buffer): Promise<void> {
    const request = currentRequest();
    if (request) request.recorded = true;
    this.runner.nudge();
    await this.events
      .deliver(tenant, event)
      .catch((error: unknown) =>
        this.log.warn(
          `An event about a deletion of keys is delivered a little later: ${error instanceof Error ? error.message : String(error)}`,
          { tenant: tenant.id },
        ),
      );
  }

  /**
   * For the installation's log, in the home region: what changed, and nothing of who did it. That is in the
   * organisation's own log, in its own region, before the answer leaves; the two name the same request.
   */
  #change<T>(
    id: TenantId,
    action: AuditAction,
    work: (registry: RegistryTransaction) => Promise<T>,
  ): Promise<T> {
    const request = currentRequest();
    if (!request) throw new Error('No request is being served.');
    const event: AuditEvent = {
      action,
      actor: { type: 'system', id: 'registry' },
      outcome: 'success',
      resource: { type: 'tenant', id },
      request: { id: request.requestId, method: request.method, path: request.path },
    };
    return this.registry.runAs(id, () => event, work);
  }

  async #operation(tenant: TenantId, id: string): Promise<Operation> {
    const operation = await this.operations.byId(tenant, id);
    if (!operation) throw new Error(`The operation ${id} is not there.`);
    return operation;
  }
}
