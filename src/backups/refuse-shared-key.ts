import { ConfigurationError, isSameKmsKey } from '../platform/config/index.js';
import { asOwner, type Cell } from '../platform/database/index.js';

/** Tenants that are asked about in one statement. */
const PAGE = 100;

/**
 * A backup under a key that an organisation's data is under could be opened by whoever opens that, and would be gone with it.
 * @throws {ConfigurationError} where an organisation of the cell has this key
 */
export async function refuseSharedKey(cell: Cell, keyId: string): Promise<void> {
  await asOwner(cell, async (client) => {
    const { rows: tenants } = await client.query<{ name: string }>(
      `SELECT n.nspname AS name FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = 'encryption_keys'
       WHERE n.nspname ~ '^t_[0-9a-f]{16}$' ORDER BY 1`,
    );
    for (let at = 0; at < tenants.length; at += PAGE) {
      const some = tenants.slice(at, at + PAGE);
      const texts = some.map(
        ({ name }) => `SELECT '${name}' AS name, kms_key_id FROM "${name}".encryption_keys`,
      );
      const { rows } = await client.query<{ name: string; kms_key_id: string }>(texts.join(' UNION ALL '));
      const owner = rows.find(({ kms_key_id: id }) => isSameKmsKey(id, keyId));
      if (owner)
        throw new ConfigurationError(
          `BACKUP_KMS_KEY_ID names the key of the organisation ${owner.name}. Make a key for backups alone.`,
        );
    }
  });
}
