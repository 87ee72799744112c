import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Provisioning by SCIM: the directories of an organisation with their tokens, what each says of its people, and for thirty
 * days what it has asked for. What is said of a person is sealed; so is what was asked for, as it may name anybody.
 */
export class TenantScim20261129040000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await this.directories(db);
    await this.people(db);
    await db.query(`
      CREATE TABLE scim_requests (
        id uuid PRIMARY KEY,
        directory_id uuid NOT NULL REFERENCES scim_directories (id) ON DELETE CASCADE,
        action text NOT NULL,
        status integer NOT NULL,
        scim_type text,
        dry_run boolean NOT NULL DEFAULT false,
        request bytea NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
      )`);
    await db.query(`CREATE INDEX ON scim_requests (created_at)`);
    await db.query(`CREATE INDEX ON scim_requests (directory_id)`);
    await db.query(`GRANT SELECT, INSERT, UPDATE (request), DELETE ON scim_requests TO {tenant}`);
    // Whose runs end with their access.
    await db.query(
      `CREATE INDEX runs_unfinished ON runs (created_by) WHERE status IN ('PENDING', 'RUNNING', 'PAUSED')`,
    );
  }

  private async directories(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE scim_directories (
        id uuid PRIMARY KEY,
        name text NOT NULL,
        kind text NOT NULL CHECK (kind IN ('okta', 'entra', 'generic')),
        state text NOT NULL CHECK (state IN ('active', 'disabled')),
        default_role text NOT NULL CHECK (default_role IN ('Admin', 'Developer', 'Viewer')),
        highest_role text NOT NULL CHECK (highest_role IN ('Owner', 'Admin', 'Developer', 'Viewer')),
        conflicts text NOT NULL CHECK (conflicts IN ('adopt', 'refuse')),
        mapping jsonb NOT NULL,
        version integer NOT NULL DEFAULT 1,
        created_by text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
      )`);
    await db.query(`
      CREATE TABLE scim_tokens (
        id uuid PRIMARY KEY,
        directory_id uuid NOT NULL REFERENCES scim_directories (id) ON DELETE CASCADE,
        prefix text NOT NULL,
        secret_hash bytea NOT NULL UNIQUE,
        created_by text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz NOT NULL,
        revoked_at timestamptz,
        last_used_at timestamptz
      )`);
    await db.query(`CREATE INDEX ON scim_tokens (directory_id)`);
    await db.query(
      `ALTER TABLE groups ADD CONSTRAINT groups_directory FOREIGN KEY (directory) REFERENCES scim_directories (id) NOT VALID`,
    );
    await db.query(`ALTER TABLE groups VALIDATE CONSTRAINT groups_directory`);
    await db.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON scim_directories TO {tenant}`);
    await db.query(
      `GRANT SELECT, INSERT, UPDATE (revoked_at, last_used_at), DELETE ON scim_tokens TO {tenant}`,
    );
  }

  private async people(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE scim_users (
        id uuid PRIMARY KEY REFERENCES users (id),
        directory_id uuid NOT NULL REFERENCES scim_directories (id),
        user_name bytea NOT NULL,
        user_name_index bytea,
        user_name_index_alt bytea,
        external_id bytea,
        external_id_index bytea,
        external_id_index_alt bytea,
        attributes bytea NOT NULL,
        version integer NOT NULL DEFAULT 1,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now(),
        removed_at timestamptz,
        CHECK (user_name_index IS NOT NULL OR user_name_index_alt IS NOT NULL)
      )`);
    for (const index of ['user_name_index', 'user_name_index_alt'])
      await db.query(`CREATE UNIQUE INDEX scim_users_${index} ON scim_users (directory_id, ${index})`);
    for (const index of ['external_id_index', 'external_id_index_alt'])
      await db.query(`CREATE INDEX ON scim_users (${index}) WHERE ${index} IS NOT NULL`);
    await db.query(`CREATE INDEX ON scim_users (directory_id, id)`);
    await db.query(`
      CREATE TABLE scim_emails (
        id uuid PRIMARY KEY,
        user_id uuid NOT NULL REFERENCES scim_users (id) ON DELETE CASCADE,
        address bytea NOT NULL,
        address_index bytea,
        address_index_alt bytea
      )`);
    await db.query(`CREATE INDEX ON scim_emails (user_id)`);
    await db.query(`CREATE INDEX ON scim_emails (address_index)`);
    await db.query(`CREATE INDEX ON scim_emails (address_index_alt)`);
    await db.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON scim_users, scim_emails TO {tenant}`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
