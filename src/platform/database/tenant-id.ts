/**
 * The opaque id of a tenant: `t_` and 16 hexadecimal digits. It names the tenant's PostgreSQL role and schema as well,
 * so that one role switch sets privileges and name resolution together.
 */
export type TenantId = string & { readonly __brand: 'TenantId' };

const PATTERN = /^t_[0-9a-f]{16}$/;

export function isTenantId(value: unknown): value is TenantId {
  return typeof value === 'string' && PATTERN.test(value);
}

/** Throws for anything that does not look like a tenant id: ids are put into SQL as role and schema names. */
export function tenantId(value: string): TenantId {
  if (!isTenantId(value)) throw new Error('Not a tenant id: expected t_ and 16 hexadecimal digits.');
  return value;
}

/** Enough of a tenant to reach its rows. */
export interface TenantRef {
  readonly id: TenantId;
  readonly region: string;
  /** The cell of the region that holds everything of it. */
  readonly cell: string;
}

/** The installation's own tenant: its log holds what belongs to no organisation, such as the operator's actions. */
export const PLATFORM_TENANT = 't_0000000000000000' as TenantId;
