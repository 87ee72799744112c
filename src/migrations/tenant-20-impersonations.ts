import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Support that acts for a person for a while, and whether it may begin without being approved. */
export class TenantImpersonations20261129052000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await this.members(db);
    await db.query(`
      CREATE TABLE impersonations (
        id uuid PRIMARY KEY,
        user_id uuid NOT NULL REFERENCES users (id),
        support_person bytea NOT NULL,
        reason bytea NOT NULL,
        writes boolean NOT NULL,
        minutes integer NOT NULL CHECK (minutes BETWEEN 1 AND 60),
        secret_hash bytea NOT NULL UNIQUE,
        requested_at timestamptz NOT NULL DEFAULT now(),
        approved_by text,
        started_at timestamptz,
        expires_at timestamptz,
        ended_at timestamptz,
        CONSTRAINT impersonations_end CHECK (
          num_nonnulls(started_at, expires_at) <> 1 AND expires_at <= started_at + interval '1 hour')
      )`);
    await db.query(`CREATE INDEX ON impersonations (expires_at) WHERE ended_at IS NULL`);
    await db.query(`GRANT SELECT, INSERT, UPDATE ON impersonations TO {tenant}`);
    await db.query(`
      CREATE TABLE impersonation_settings (
        one boolean PRIMARY KEY DEFAULT true CHECK (one),
        allowed boolean NOT NULL,
        writes boolean NOT NULL,
        set_by text NOT NULL,
        set_at timestamptz NOT NULL DEFAULT now()
      )`);
    await db.query(`GRANT SELECT, INSERT, UPDATE ON impersonation_settings TO {tenant}`);
  }

  /** Clients and connections have the role of whoever sets them, at most, which may be that of a Member. */
  private async members(db: QueryRunner): Promise<void> {
    const roles = `'Owner', 'Admin', 'Developer', 'Viewer', 'Member'`;
    const rank = (column: string): string => `array_position(ARRAY[${roles}], ${column})`;
    for (const [table, name, check] of [
      ['sso_connections', 'sso_connections_highest_role_check', `highest_role IN (${roles})`],
      ['oauth_clients', 'oauth_clients_role_check', `role IN (${roles})`],
      ['oauth_clients', 'oauth_clients_highest_role_check', `highest_role IN (${roles})`],
      ['oauth_clients', 'oauth_clients_within_whoever_set_it', `${rank('role')} >= ${rank('highest_role')}`],
    ]) {
      await db.query(`ALTER TABLE ${table} DROP CONSTRAINT ${name}`);
      await db.query(`ALTER TABLE ${table} ADD CONSTRAINT ${name} CHECK (${check}) NOT VALID`);
      await db.query(`ALTER TABLE ${table} VALIDATE CONSTRAINT ${name}`);
    }
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
