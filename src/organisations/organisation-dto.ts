import type { Tenant } from '../tenancy/index.js';
import type { OrganisationDto } from './organisations.dto.js';

/** An organisation's entry, as the operator sees it. */
export function organisationDto(tenant: Tenant): OrganisationDto {
  const { id, slug, name, region, status, createdAt, version, suspendedReason, deleteAfter } = tenant;
  return {
    id,
    slug,
    name,
    region,
    status,
    createdAt: createdAt.toISOString(),
    version,
    ...(suspendedReason !== undefined && { suspendedReason }),
    ...(deleteAfter && { purgeAfter: deleteAfter.toISOString() }),
  };
}
