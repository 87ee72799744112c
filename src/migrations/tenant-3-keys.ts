import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Several keys of each purpose, of which one is current: `wrapped` is by the KMS, `inner_wrapped` by the tenant's current
 * field key. An index key fills one of two columns, so that a new one can be filled beside the one in use.
 */
export class TenantKeys20261122000100 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      ALTER TABLE encryption_keys
        ADD COLUMN state text NOT NULL DEFAULT 'current',
        ADD COLUMN slot smallint NOT NULL DEFAULT 0,
        ADD COLUMN revision integer NOT NULL DEFAULT 0,
        ADD COLUMN inner_wrapped bytea,
        ADD COLUMN wrapped_by uuid`);
    await db.query(`ALTER TABLE encryption_keys ALTER COLUMN wrapped DROP NOT NULL`);
    for (const [name, check] of [
      ['encryption_keys_state', `state IN ('current', 'opens', 'filling', 'draining', 'retired')`],
      ['encryption_keys_slot', `slot IN (0, 1)`],
      ['encryption_keys_inner', `(inner_wrapped IS NULL) = (wrapped_by IS NULL)`],
      ['encryption_keys_wrapped', `wrapped IS NOT NULL OR inner_wrapped IS NOT NULL`],
    ]) {
      await db.query(`ALTER TABLE encryption_keys ADD CONSTRAINT ${name} CHECK (${check}) NOT VALID`);
      await db.query(`ALTER TABLE encryption_keys VALIDATE CONSTRAINT ${name}`);
    }
    await db.query(
      `CREATE UNIQUE INDEX encryption_keys_current ON encryption_keys (purpose) WHERE state = 'current'`,
    );
    await db.query(
      `GRANT UPDATE (state, revision, wrapped, inner_wrapped, wrapped_by) ON encryption_keys TO {tenant}`,
    );
    await db.query(`ALTER TABLE users ADD COLUMN email_index_alt bytea`);
    await db.query(`CREATE UNIQUE INDEX users_email_index_alt_key ON users (email_index_alt)`);
    await db.query(`ALTER TABLE users ALTER COLUMN email_index DROP NOT NULL`);
    await db.query(
      `ALTER TABLE users ADD CONSTRAINT users_email_found CHECK (email_index IS NOT NULL OR email_index_alt IS NOT NULL) NOT VALID`,
    );
    await db.query(`ALTER TABLE users VALIDATE CONSTRAINT users_email_found`);
    // Only what they are sealed under changes, when a key is replaced.
    await db.query(`GRANT UPDATE (event) ON run_events TO {tenant}`);
    await db.query(`GRANT UPDATE (result) ON run_checkpoints TO {tenant}`);
    await db.query(`GRANT UPDATE (response) ON idempotency_keys TO {tenant}`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
