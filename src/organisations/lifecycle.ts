import { AppError } from '../platform/http/errors.js';
import type { Tenant, TenantStatus } from '../tenancy/index.js';

export type LifecycleAction = 'inspect' | 'update' | 'suspend' | 'resume' | 'delete' | 'restore' | 'purge';

/**
 * What may be done to an organisation in which state, and the state that follows. Nothing else is possible.
 *
 *   creating -> active <-> suspended; active, suspended -> deleting -> purging -> gone
 *
 * The first and the last step are made by whoever creates and purges: before the one and after the other there is no
 * entry to act on.
 */
const TRANSITIONS: Readonly<Record<LifecycleAction, Partial<Record<TenantStatus, TenantStatus>>>> = {
  inspect: { active: 'active', suspended: 'suspended', deleting: 'deleting' },
  update: { active: 'active', suspended: 'suspended' },
  suspend: { active: 'suspended' },
  resume: { suspended: 'active' },
  delete: { active: 'deleting', suspended: 'deleting' },
  restore: { deleting: 'active' },
  purge: { deleting: 'purging' },
};

const DONE: Readonly<Record<LifecycleAction, string>> = {
  inspect: 'looked into',
  update: 'changed',
  suspend: 'suspended',
  resume: 'resumed',
  delete: 'deleted',
  restore: 'restored',
  purge: 'purged',
};

const WHAT_TO_DO: Readonly<Record<TenantStatus, string>> = {
  creating: 'Wait until it is active.',
  active: 'It works as it is.',
  suspended: 'Resume it if it is to work: POST /v1/tenants/{id}/resume.',
  deleting: 'Restore it first: POST /v1/tenants/{id}/restore.',
  purging: 'It is being purged, which cannot be taken back.',
};

export class TransitionRefused extends AppError {
  readonly kind = 'conflict';
  readonly code = 'TENANT_STATE';
  constructor(action: LifecycleAction, status: TenantStatus) {
    super(`The organisation is ${status} and cannot be ${DONE[action]}. ${WHAT_TO_DO[status]}`);
  }
}

/** The state that follows. @throws {TransitionRefused} where the action is not possible in the present one */
export function statusAfter(
  action: LifecycleAction,
  { status, suspendedReason }: Pick<Tenant, 'status' | 'suspendedReason'>,
): TenantStatus {
  const next = TRANSITIONS[action][status];
  if (next === undefined) throw new TransitionRefused(action, status);
  // Deleting and restoring is no way around a suspension.
  return action === 'restore' && suspendedReason !== undefined ? 'suspended' : next;
}
