import type { TenantDatabase, TenantRef } from '../platform/database/index.js';
import { ACCESS_OF_USER, accessOf, type AccessRow } from './access-of-principal.js';
import { AllowedNetworks } from './allowed-networks.js';
import type { Authenticated } from './authenticated.js';
import type { Role } from './identity.entity.js';

interface Row extends AccessRow {
  id: string;
  scopes: string[];
  expires_at: Date | null;
  revoked_at: Date | null;
  allowed_networks: string[] | null;
  requests_per_minute: number | null;
  projects: string[] | null;
  user_id: string;
  role: Role;
  status: string;
}

/** The key that has this secret, acting for its person. */
export async function apiKeyPrincipal(
  database: TenantDatabase,
  tenant: TenantRef,
  secretHash: Buffer,
): Promise<Authenticated | undefined> {
  const [row] = await database.within(tenant, () =>
    database.query<Row & Record<string, unknown>>({
      name: 'api_key',
      text: `SELECT k.id, k.scopes, k.expires_at, k.revoked_at, k.allowed_networks, k.requests_per_minute, k.projects, u.id AS user_id, u.role, u.status,
            ${ACCESS_OF_USER}
          FROM api_keys k JOIN users u ON u.id = k.user_id WHERE k.secret_hash = $1`,
      values: [secretHash],
    }),
  );
  if (!row || row.revoked_at || row.status !== 'active') return undefined;
  return {
    actor: Object.freeze({
      type: 'api_key',
      id: row.id,
      tenant: tenant.id,
      userId: row.user_id,
      roles: [row.role],
      scopes: row.scopes,
      access: accessOf(row),
      ...(row.projects && { projects: row.projects }),
      ...(row.requests_per_minute !== null && { requestsPerMinute: row.requests_per_minute }),
    }),
    ...(row.allowed_networks && { networks: new AllowedNetworks(row.allowed_networks) }),
    expiresAt: row.expires_at?.getTime(),
    dependsOn: [`api_key:${row.id}`, `user:${row.user_id}`, `tenant:${tenant.id}`],
  };
}
