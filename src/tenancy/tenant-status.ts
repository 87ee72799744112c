import { AppError } from '../platform/http/errors.js';
import type { EndpointOptions } from '../platform/http/endpoint-options.js';
import type { Tenant } from './tenant.js';

export class TenantSuspended extends AppError {
  readonly kind = 'forbidden';
  readonly code = 'TENANT_SUSPENDED';
  constructor() {
    super('This organisation is suspended. Ask its owner or the operator.');
  }
}

export class TenantDeleting extends AppError {
  readonly kind = 'forbidden';
  readonly code = 'TENANT_DELETING';
  constructor() {
    super(
      'This organisation is being deleted. Until it is purged the operator can restore it, and an owner can read its export: GET /v1/organisation/export.',
    );
  }
}

/** Its schema lacks what this program needs; the others' do not. */
export class TenantBeingUpgraded extends AppError {
  readonly kind = 'unavailable';
  readonly code = 'TENANT_BEING_UPGRADED';
  constructor() {
    super('This organisation is being upgraded. Repeat the request in a moment; nothing of it was done.');
  }
}

/** Lets only what is active through. Whatever else there may be one day is refused until somebody thinks of it. */
export function requireServed({ status, behind }: Tenant, endpoint: EndpointOptions | undefined): void {
  if (behind && (status === 'active' || endpoint?.whileDeleting)) throw new TenantBeingUpgraded();
  if (status === 'active') return;
  if (status !== 'deleting') throw new TenantSuspended();
  if (!endpoint?.whileDeleting) throw new TenantDeleting();
}
