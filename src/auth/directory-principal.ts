import type { TenantDatabase, TenantRef } from '../platform/database/index.js';
import type { Authenticated } from './authenticated.js';

/** A directory that provides people, by one of its tokens. The rows are another room's (src/scim), which imports this one. */
export async function directoryPrincipal(
  database: TenantDatabase,
  tenant: TenantRef,
  secretHash: Buffer,
): Promise<Authenticated | undefined> {
  const [row] = await database.within(tenant, () =>
    database.query<{ id: string; directory_id: string; expires_at: Date }>({
      name: 'directory_token',
      text: `SELECT t.id, t.directory_id, t.expires_at FROM scim_tokens t JOIN scim_directories d ON d.id = t.directory_id
        WHERE t.secret_hash = $1 AND t.revoked_at IS NULL AND d.state = 'active'`,
      values: [secretHash],
    }),
  );
  if (!row) return undefined;
  const { id, directory_id: directory, expires_at: expiresAt } = row;
  return {
    actor: Object.freeze({ type: 'directory', id: directory, tenant: tenant.id, roles: [], tokenId: id }),
    expiresAt: expiresAt.getTime(),
    dependsOn: [`directory:${directory}`, `directory:${id}`],
  };
}
