import type { TenantId } from './tenant-id.js';

/**
 * The first of a tenant's two connections among so many, the other being the next: always the same, and tenants spread
 * evenly. In a backend each tenant that it serves takes memory, and its first statement there time.
 */
export function placeOf(tenant: TenantId, connections: number): number {
  return Number.parseInt(tenant.slice(-6), 16) % connections;
}
