import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What a session belongs to, finer and coarser than its network; how it was opened and from where, sealed; when it was
 * last used. Rows of sessions that ended long ago are taken away: they may be deleted.
 */
export class TenantSessions20261122007100 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      ALTER TABLE sessions
        ADD COLUMN exact_fingerprint bytea,
        ADD COLUMN agent_fingerprint bytea,
        ADD COLUMN client bytea,
        ADD COLUMN method text NOT NULL DEFAULT 'password',
        ADD COLUMN last_used_at timestamptz NOT NULL DEFAULT now()`);
    await db.query(`ALTER TABLE api_keys ADD COLUMN last_used_at timestamptz`);
    await db.query(`GRANT DELETE ON sessions, refresh_tokens TO {tenant}`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
