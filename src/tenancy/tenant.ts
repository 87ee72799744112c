import { tenantId, type TenantRef } from '../platform/database/index.js';
import type {
  BodyRecording,
  NetworkRules,
  RateLimits,
  RequestBodies,
  SignInRules,
} from '../platform/http/tenant-rules.js';
import type { Quotas } from './quotas.js';

/** What of its life a tenant is in; what may follow which is in `src/organisations/lifecycle.ts`. Only `active` is served. */
export type TenantStatus = 'creating' | 'active' | 'suspended' | 'deleting' | 'purging';

/** A tenant as the registry knows it. */
export interface Tenant extends TenantRef {
  readonly slug: string;
  readonly name: string;
  readonly status: TenantStatus;
  readonly createdAt: Date;
  /** Its schema lacks a migration of this program: it is not served until it is migrated. Known of one that was asked for. */
  readonly behind?: boolean;
  readonly rateLimits?: RateLimits;
  readonly networkRules?: NetworkRules;
  readonly signInRules?: SignInRules;
  /** What of the bodies of its requests its events have. */
  readonly requestBodies: RequestBodies;
  /** Rises with every change of the entry. */
  readonly version: number;
  /** Present while suspended, and while the deletion of a suspended one can be taken back. */
  readonly suspendedReason?: string;
  /** Deleting: when it will be purged. */
  readonly deleteAfter?: Date;
  /** Where they differ from the defaults. */
  readonly quotas: Partial<Quotas>;
  /** Found by a name that it has no longer: since when, and until when the name leads here. */
  readonly formerName?: { readonly since: Date; readonly until: Date };
  /** The cell that it is being moved to. */
  readonly movingTo?: string;
  /** For the last moments of a move; reading goes on. */
  readonly writesPaused: boolean;
}

/** Its row, by `COLUMNS`. */
export interface TenantRow {
  id: string;
  slug: string;
  name: string;
  region: string;
  cell: string;
  status: Tenant['status'];
  created_at: Date;
  rate_limits: RateLimits | null;
  network_rules: NetworkRules | null;
  sign_in_rules: SignInRules | null;
  request_bodies: BodyRecording;
  withheld_fields: string[];
  version: number;
  suspended_reason: string | null;
  delete_after: Date | null;
  quotas: Partial<Quotas>;
  former_since?: Date | null;
  until?: Date | null;
  moving_to: string | null;
  writes_paused: boolean;
}

export const COLUMNS =
  'id, slug, name, region, cell, status, created_at, version, suspended_reason, delete_after, quotas, rate_limits, network_rules, sign_in_rules, request_bodies, withheld_fields, moving_to, pause_id IS NOT NULL AS writes_paused';

export function tenantOf(row: TenantRow): Tenant {
  const { id, slug, name, region, cell, status, version, quotas } = row;
  return {
    id: tenantId(id),
    slug,
    name,
    region,
    cell,
    status,
    createdAt: row.created_at,
    rateLimits: row.rate_limits ?? undefined,
    networkRules: row.network_rules ?? undefined,
    signInRules: row.sign_in_rules ?? undefined,
    requestBodies: { recorded: row.request_bodies, withheld: row.withheld_fields },
    version,
    quotas,
    ...(row.suspended_reason !== null && { suspendedReason: row.suspended_reason }),
    ...(row.delete_after && { deleteAfter: row.delete_after }),
    ...(row.former_since && row.until && { formerName: { since: row.former_since, until: row.until } }),
    ...(row.moving_to !== null && { movingTo: row.moving_to }),
    writesPaused: row.writes_paused,
  };
}
