import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Signing in through a company's identity provider: the connections to it, who is whom there, which domains are the
 * organisation's. What a sign-in needs between its beginning and its end is in rows that die within minutes.
 */
export class TenantFederation20261122009000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await this.domains(db);
    await this.connections(db);
    await this.identities(db);
    await this.shortLived(db);
  }

  private async domains(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE domains (
        id uuid PRIMARY KEY,
        name text NOT NULL UNIQUE,
        token text NOT NULL,
        sso_required boolean NOT NULL DEFAULT false,
        version integer NOT NULL DEFAULT 1,
        created_by text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
      )`);
    await db.query(`
      CREATE TABLE break_glass_owners (
        user_id uuid PRIMARY KEY REFERENCES users (id),
        named_by text NOT NULL,
        named_at timestamptz NOT NULL DEFAULT now()
      )`);
    await db.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON domains TO {tenant}`);
    await db.query(`GRANT SELECT, INSERT, DELETE ON break_glass_owners TO {tenant}`);
  }

  private async connections(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE sso_connections (
        id uuid PRIMARY KEY,
        name text NOT NULL,
        type text NOT NULL CHECK (type IN ('oidc', 'saml')),
        state text NOT NULL CHECK (state IN ('draft', 'active', 'disabled')),
        settings jsonb NOT NULL,
        secrets bytea,
        mapping jsonb NOT NULL,
        roles jsonb NOT NULL,
        highest_role text NOT NULL CHECK (highest_role IN ('Owner', 'Admin', 'Developer', 'Viewer')),
        provisioning boolean NOT NULL,
        linking text NOT NULL CHECK (linking IN ('verified_email', 'none')),
        last_error text,
        last_error_at timestamptz,
        version integer NOT NULL DEFAULT 1,
        created_by text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
      )`);
    await db.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON sso_connections TO {tenant}`);
  }

  private async identities(db: QueryRunner): Promise<void> {
    // A provider may say when a session of its is over.
    await db.query(`ALTER TABLE sessions ADD COLUMN ends_at timestamptz`);
    await db.query(`
      CREATE TABLE federated_identities (
        id uuid PRIMARY KEY,
        connection_id uuid NOT NULL REFERENCES sso_connections (id) ON DELETE CASCADE,
        user_id uuid NOT NULL REFERENCES users (id),
        subject bytea NOT NULL,
        subject_index bytea UNIQUE,
        subject_index_alt bytea UNIQUE,
        created_at timestamptz NOT NULL DEFAULT now(),
        CHECK (subject_index IS NOT NULL OR subject_index_alt IS NOT NULL)
      )`);
    await db.query(`CREATE INDEX ON federated_identities (connection_id)`);
    await db.query(`CREATE INDEX ON federated_identities (user_id)`);
    await db.query(`
      CREATE TABLE federated_sessions (
        id uuid PRIMARY KEY REFERENCES sessions (id) ON DELETE CASCADE,
        identity_id uuid NOT NULL REFERENCES federated_identities (id) ON DELETE CASCADE,
        connection_id uuid NOT NULL,
        sid_hash bytea,
        hint bytea
      )`);
    await db.query(`CREATE INDEX ON federated_sessions (identity_id)`);
    await db.query(`CREATE INDEX ON federated_sessions (connection_id, sid_hash)`);
    await db.query(
      `GRANT SELECT, INSERT, UPDATE, DELETE ON federated_identities, federated_sessions TO {tenant}`,
    );
  }

  private async shortLived(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE sso_attempts (
        id uuid PRIMARY KEY,
        connection_id uuid NOT NULL REFERENCES sso_connections (id) ON DELETE CASCADE,
        purpose text NOT NULL CHECK (purpose IN ('sign_in', 'test', 'step_up')),
        state_hash bytea NOT NULL UNIQUE,
        browser_hash bytea NOT NULL,
        secrets bytea NOT NULL,
        expires_at timestamptz NOT NULL,
        used_at timestamptz
      )`);
    await db.query(`CREATE INDEX ON sso_attempts (expires_at)`);
    await db.query(`
      CREATE TABLE sso_replays (
        key bytea PRIMARY KEY,
        expires_at timestamptz NOT NULL
      )`);
    await db.query(`CREATE INDEX ON sso_replays (expires_at)`);
    await db.query(`
      CREATE TABLE sso_reports (
        id uuid PRIMARY KEY,
        connection_id uuid NOT NULL REFERENCES sso_connections (id) ON DELETE CASCADE,
        report bytea NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
      )`);
    await db.query(`CREATE INDEX ON sso_reports (connection_id, created_at)`);
    await db.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON sso_attempts, sso_reports TO {tenant}`);
    await db.query(`GRANT SELECT, INSERT, DELETE ON sso_replays TO {tenant}`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
