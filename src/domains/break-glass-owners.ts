import type { TenantDatabase } from '../platform/database/index.js';

/** Who is named and can really sign in with a password. A second factor stands in no fit owner's way: who has none may set one up. */
const FIT = `SELECT u.id FROM break_glass_owners b JOIN users u ON u.id = b.user_id
  WHERE u.status = 'active' AND u.role = 'Owner' AND u.password_hash IS NOT NULL`;

/** Owners who get in when the provider is away. To be asked with the owners locked, so that the last one stays. */
export async function fitBreakGlassOwners(database: TenantDatabase): Promise<readonly string[]> {
  const rows = await database.query<{ id: string }>({ text: FIT, values: [] });
  return rows.map(({ id }) => id);
}

/** Whether passwords are refused for a domain, and this is the last owner who gets in all the same. */
export async function isLastBreakGlassOwner(database: TenantDatabase, userId: string): Promise<boolean> {
  const [row] = await database.query<{ last: boolean }>({
    text: `SELECT EXISTS (SELECT 1 FROM domains WHERE sso_required)
        AND coalesce(array_agg(fit.id) = ARRAY[$1::uuid], false) AS last FROM (${FIT}) fit`,
    values: [userId],
  });
  return row?.last === true;
}
