import { announce, currentTenant, type Statement, type TenantDatabase } from '../platform/database/index.js';

/** Those of a person, of their keys, and of support that has acted for them; or of one who is none, by itself. */
const RUNS_OF = `created_by = $1 OR created_by IN (SELECT id::text FROM api_keys WHERE user_id = $1::uuid)
  OR created_by IN (SELECT id::text FROM impersonations WHERE user_id = $1::uuid)`;

/** Links to a new password that somebody has got are good for nothing any more. */
const USE_UP_RESETS = 'UPDATE password_resets SET used_at = now() WHERE user_id = $1 AND used_at IS NULL';

/**
 * Ends all that somebody can do, in the running transaction: sessions, with what was issued for them, API keys, links to a new
 * password, support that acts for them, and runs that are under way, those of keys and support included. Marked, not only judged by the person's status: what is dead must stay
 * dead when the person is enabled again.
 */
export async function endAccess(database: TenantDatabase, userId: string): Promise<void> {
  await revokeAll(database, 'sessions', userId);
  await revokeAll(database, 'api_keys', userId);
  for (const text of [
    'DELETE FROM trusted_devices WHERE user_id = $1',
    USE_UP_RESETS,
    'UPDATE impersonations SET ended_at = now() WHERE user_id = $1 AND ended_at IS NULL',
  ])
    await database.query({ text, values: [userId] });
  await database.query(cancelRuns(userId));
  await database.query(announce({ kind: 'user', tenant: currentTenant().id, id: userId }));
}

/**
 * Ends what rests on proofs that somebody has given of who they are, where these are not to be believed any more: sign-ins at
 * work, links to a new password, trust in browsers. Sessions are ended apart; API keys, which nobody proves anything with, go on.
 */
export async function distrust(database: TenantDatabase, userId: string): Promise<void> {
  for (const text of [
    'UPDATE users SET epoch = epoch + 1, version = version + 1, updated_at = now() WHERE id = $1',
    'DELETE FROM second_factor_challenges WHERE user_id = $1',
    'DELETE FROM trusted_devices WHERE user_id = $1',
  ])
    await database.query({ text, values: [userId] });
  await endResetLinks(database, userId);
}

/** Ends links to a new password that were mailed and not used. */
export async function endResetLinks(database: TenantDatabase, userId: string): Promise<void> {
  await database.query({
    text: USE_UP_RESETS,
    values: [userId],
  });
}

export async function revokeAll(
  database: TenantDatabase,
  table: 'sessions' | 'api_keys',
  userId: string,
): Promise<void> {
  await database.query({
    text: `UPDATE ${table} SET revoked_at = now() WHERE user_id = $1 AND revoked_at IS NULL`,
    values: [userId],
  });
}

/** Who works on one is told; one that nobody works on yet is cancelled by whoever takes it up. */
export function cancelRuns(creatorId: string): Statement {
  return {
    text: `WITH cancelled AS (
        UPDATE runs SET cancel_requested_at = now()
        WHERE status IN ('PENDING', 'RUNNING', 'PAUSED') AND cancel_requested_at IS NULL AND (${RUNS_OF}) RETURNING id)
      SELECT work.announce('run_cancel', id::text) FROM cancelled`,
    values: [creatorId],
  };
}
