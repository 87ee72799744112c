import { Injectable } from '@nestjs/common';
import { KeySchedules, ROTATE_AFTER_DAYS } from '../encryption/index.js';
import { Operations, type Operation } from '../operations/index.js';
import { TenantDatabase, type TenantRef } from '../platform/database/index.js';
import { deletionDue, DELETION } from './destroy-keys.js';
import type { KeyDeletionDto, KeyRotationDto, KeysDto } from './keys.dto.js';
import { ROTATION } from './rotate-keys.js';

const OPERATIONS_READ = 100;
const DAY_MS = 86_400_000;

interface Row {
  id: string;
  purpose: string;
  state: string;
  custody: string;
  holds: boolean;
  kms_key_id: string;
  created_at: Date;
}

/** What there is to be known of a tenant's keys, and what is going on with them. */
@Injectable()
export class ReadKeys {
  constructor(
    private readonly database: TenantDatabase,
    private readonly schedules: KeySchedules,
    private readonly operations: Operations,
  ) {}

  async execute(tenant: TenantRef): Promise<KeysDto> {
    const rows = await this.database.query<Row & Record<string, unknown>>({
      text: 'SELECT id, purpose, state, custody, holds, kms_key_id, created_at FROM encryption_keys ORDER BY id',
      values: [],
    });
    const schedule = await this.schedules.of(tenant.id);
    const known = await this.operations.ofTenant(tenant.id, OPERATIONS_READ);
    const rotation = known.find(({ kind }) => kind === ROTATION);
    const deletion = await this.operations.running(tenant.id, DELETION);
    const current = rows.findLast(({ purpose }) => purpose === 'field');
    const attached = current?.custody === 'customer';
    return {
      custody: attached ? 'customer' : 'platform',
      ...(attached && {
        customerKey: current.kms_key_id,
        mode: current.holds ? ('hold' as const) : ('envelope' as const),
      }),
      items: rows.map(({ id, purpose, state, created_at: at }) => ({
        id,
        purpose,
        state,
        createdAt: at.toISOString(),
        ageDays: Math.floor((Date.now() - at.getTime()) / DAY_MS),
      })),
      seals: schedule?.wraps ?? 0,
      rotateAfterDays: schedule?.rotateAfterDays ?? ROTATE_AFTER_DAYS,
      ...(schedule && { rotateAt: schedule.rotateAt.toISOString() }),
      ...(rotation && { rotation: rotationDto(rotation) }),
      ...(deletion && { deletion: deletionDto(deletion) }),
    };
  }
}

export function rotationDto({ id, status, step, data, error, ...times }: Operation): KeyRotationDto {
  return {
    id,
    status,
    step,
    values: Number(data['values'] ?? 0),
    unreadable: Number(data['unreadable'] ?? 0),
    ...(error !== undefined && { error }),
    createdAt: times.createdAt.toISOString(),
    ...(times.finishedAt && { finishedAt: times.finishedAt.toISOString() }),
  };
}

export function deletionDto(operation: Operation): KeyDeletionDto {
  return {
    id: operation.id,
    scheduledAt: operation.createdAt.toISOString(),
    destroyAfter: deletionDue(operation).toISOString(),
  };
}
