import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Clients of OAuth, which act for an organisation and for no person; what they show once; their tokens that were revoked. */
export class TenantOauthClients20261129030000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    // The last check: whatever writes here, no client holds more than whoever set it.
    await db.query(`
      CREATE TABLE oauth_clients (
        id uuid PRIMARY KEY,
        name text NOT NULL,
        role text NOT NULL CHECK (role IN ('Owner', 'Admin', 'Developer', 'Viewer')),
        highest_role text NOT NULL CHECK (highest_role IN ('Owner', 'Admin', 'Developer', 'Viewer')),
        scopes text[] NOT NULL CHECK (cardinality(scopes) > 0),
        authentication text NOT NULL CHECK (authentication IN ('client_secret', 'private_key_jwt')),
        public_keys jsonb,
        status text NOT NULL CHECK (status IN ('active', 'disabled')),
        access_token_minutes integer NOT NULL CHECK (access_token_minutes BETWEEN 5 AND 360),
        dpop_bound boolean NOT NULL,
        allowed_networks text[],
        expires_at timestamptz,
        last_used_at timestamptz,
        epoch integer NOT NULL DEFAULT 0,
        version integer NOT NULL DEFAULT 1,
        created_by text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now(),
        CHECK ((authentication = 'private_key_jwt') = (public_keys IS NOT NULL)),
        CONSTRAINT oauth_clients_within_whoever_set_it CHECK (
          array_position(ARRAY['Owner', 'Admin', 'Developer', 'Viewer'], role)
            >= array_position(ARRAY['Owner', 'Admin', 'Developer', 'Viewer'], highest_role))
      )`);
    await db.query(`
      CREATE TABLE oauth_client_secrets (
        id uuid PRIMARY KEY,
        client_id uuid NOT NULL REFERENCES oauth_clients (id) ON DELETE CASCADE,
        secret_hash bytea NOT NULL UNIQUE,
        prefix text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz
      )`);
    await db.query(`CREATE INDEX ON oauth_client_secrets (client_id)`);
    await db.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON oauth_clients, oauth_client_secrets TO {tenant}`);
    await this.shortLived(db);
  }

  private async shortLived(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE oauth_shown (
        key bytea PRIMARY KEY,
        expires_at timestamptz NOT NULL
      )`);
    await db.query(`CREATE INDEX ON oauth_shown (expires_at)`);
    await db.query(`
      CREATE TABLE oauth_revoked_tokens (
        id uuid PRIMARY KEY,
        expires_at timestamptz NOT NULL
      )`);
    await db.query(`CREATE INDEX ON oauth_revoked_tokens (expires_at)`);
    await db.query(`GRANT SELECT, INSERT, DELETE ON oauth_shown, oauth_revoked_tokens TO {tenant}`);
    // Of the key whose holder alone refreshes the session (RFC 9449 section 5).
    await db.query(`ALTER TABLE refresh_tokens ADD COLUMN key_thumbprint text`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
