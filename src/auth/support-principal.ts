import type { TenantDatabase, TenantRef } from '../platform/database/index.js';
import { ACCESS_OF_USER, accessOf, type AccessRow } from './access-of-principal.js';
import type { Role } from './identity.entity.js';
import type { Authenticated } from './authenticated.js';

interface Row extends AccessRow {
  id: string;
  user_id: string;
  role: Role;
  writes: boolean;
  expires_at: Date;
}

/** Support that acts for a person, while that is active. The row is another room's (src/impersonation), which imports this one. */
export async function supportPrincipal(
  database: TenantDatabase,
  tenant: TenantRef,
  secretHash: Buffer,
): Promise<Authenticated | undefined> {
  const [row] = await database.within(tenant, () =>
    database.query<Row & Record<string, unknown>>({
      name: 'impersonation',
      text: `SELECT i.id, i.user_id, i.writes, i.expires_at, u.role, ${ACCESS_OF_USER}
        FROM impersonations i JOIN users u ON u.id = i.user_id
        WHERE i.secret_hash = $1 AND i.ended_at IS NULL AND i.expires_at > now() AND u.status = 'active'`,
      values: [secretHash],
    }),
  );
  return (
    row && {
      actor: Object.freeze({
        type: 'support',
        id: row.id,
        tenant: tenant.id,
        userId: row.user_id,
        roles: [row.role],
        access: accessOf(row),
        endsAt: row.expires_at.getTime(),
        ...(row.writes && { writes: true as const }),
      }),
      expiresAt: row.expires_at.getTime(),
      dependsOn: [`impersonation:${row.id}`, `user:${row.user_id}`, `tenant:${tenant.id}`],
    }
  );
}
