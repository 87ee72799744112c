import type { TenantDatabase, TenantRef } from '../platform/database/index.js';
import { ACCESS_OF_CLIENT, accessOf, type AccessRow } from './access-of-principal.js';
import type { ClientClaims } from './access-tokens.js';
import { AllowedNetworks } from './allowed-networks.js';
import type { Authenticated } from './authenticated.js';
import type { Role } from './identity.entity.js';

interface Row extends AccessRow {
  /** The directory that it speaks for, if one names it; it may be disabled. */
  directory: string | null;
  directory_state: string | null;
  role: Role;
  epoch: number;
  expires_at: Date | null;
  allowed_networks: string[] | null;
  projects: string[] | null;
}

/** A client by its token, or the directory that it speaks for. The rows are other rooms' (src/oauth, src/scim), which import this one. */
export async function clientPrincipal(
  database: TenantDatabase,
  tenant: TenantRef,
  claims: ClientClaims,
): Promise<Authenticated | undefined> {
  const { clientId, tokenId } = claims;
  const [row] = await database.within(tenant, () =>
    database.query<Row & Record<string, unknown>>({
      name: 'oauth_client',
      text: `SELECT c.role, c.epoch, c.expires_at, c.allowed_networks, c.projects, d.id AS directory, d.state AS directory_state, ${ACCESS_OF_CLIENT}
          FROM oauth_clients c LEFT JOIN scim_directories d ON d.oauth_client_id = c.id
          WHERE c.id = $1 AND c.status = 'active' AND NOT EXISTS (SELECT 1 FROM oauth_revoked_tokens WHERE id = $2)`,
      values: [clientId, tokenId],
    }),
  );
  if (row?.epoch !== claims.epoch) return undefined;
  // One that speaks for a directory does what that does, and nothing of its own.
  if (row.directory !== null && row.directory_state !== 'active') return undefined;
  const shared = {
    tenant: tenant.id,
    scopes: claims.scopes,
    tokenId,
    ...(row.projects && { projects: row.projects }),
  };
  const client = { type: 'client', id: clientId, roles: [row.role], access: accessOf(row) } as const;
  const { directory } = row;
  return {
    actor: Object.freeze(
      directory === null
        ? { ...client, ...shared }
        : { type: 'directory', id: directory, clientId, roles: [], ...shared },
    ),
    ...(row.allowed_networks && { networks: new AllowedNetworks(row.allowed_networks) }),
    expiresAt: Math.min(claims.expiresAt * 1_000, row.expires_at?.getTime() ?? Infinity),
    dependsOn: [
      `oauth_client:${clientId}`,
      `oauth_token:${tokenId}`,
      `tenant:${tenant.id}`,
      ...(directory === null ? [] : [`directory:${directory}`]),
    ],
  };
}
