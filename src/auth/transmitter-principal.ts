import type { TenantDatabase, TenantRef } from '../platform/database/index.js';
import type { Authenticated } from './authenticated.js';

/** A transmitter of security events, by its token. The row is another room's (src/shared-signals), which imports this one. */
export async function transmitterPrincipal(
  database: TenantDatabase,
  tenant: TenantRef,
  secretHash: Buffer,
): Promise<Authenticated | undefined> {
  const [row] = await database.within(tenant, () =>
    database.query<{ id: string; expires_at: Date | null }>({
      name: 'signal_transmitter_token',
      text: `SELECT id, CASE WHEN token_hash = $1 THEN NULL ELSE former_token_until END AS expires_at FROM signal_transmitters
        WHERE state = 'active' AND (token_hash = $1 OR (former_token_hash = $1 AND former_token_until > now()))`,
      values: [secretHash],
    }),
  );
  if (!row) return undefined;
  const { id, expires_at: expiresAt } = row;
  return {
    actor: Object.freeze({ type: 'transmitter', id, tenant: tenant.id, roles: [] }),
    ...(expiresAt && { expiresAt: expiresAt.getTime() }),
    dependsOn: [`transmitter:${id}`],
  };
}
