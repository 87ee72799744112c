import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A tenant's schema. Tables belong to the owner and are granted one by one: the tenant's role can neither alter them
 * nor, where nothing may change, update them. Columns of type bytea hold ciphertext, hashes or blind indexes.
 */
export class TenantFoundation20261121000000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await this.keys(db);
    await this.identity(db);
    await this.agents(db);
    await this.runs(db);
    await db.query(`
      CREATE TABLE idempotency_keys (
        key_hash bytea PRIMARY KEY,
        request_hash bytea NOT NULL,
        response bytea NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
      )`);
    await db.query(`CREATE INDEX ON idempotency_keys (created_at)`);
    await db.query(`GRANT SELECT, INSERT, DELETE ON idempotency_keys TO {tenant}`);
  }

  private async keys(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE encryption_keys (
        id uuid PRIMARY KEY,
        purpose text NOT NULL CHECK (purpose IN ('field', 'index')),
        kms_key_id text NOT NULL,
        wrapped bytea NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
      )`);
    await db.query(`GRANT SELECT, INSERT ON encryption_keys TO {tenant}`);
  }

  private async identity(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE users (
        id uuid PRIMARY KEY,
        email bytea NOT NULL,
        email_index bytea NOT NULL UNIQUE,
        display_name bytea,
        password_hash text,
        role text NOT NULL CHECK (role IN ('Owner', 'Admin', 'Developer', 'Viewer')),
        status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled')),
        epoch integer NOT NULL DEFAULT 0,
        version integer NOT NULL DEFAULT 1,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
      )`);
    await db.query(`
      CREATE TABLE sessions (
        id uuid PRIMARY KEY,
        user_id uuid NOT NULL REFERENCES users (id),
        token_hash bytea NOT NULL UNIQUE,
        fingerprint bytea NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz NOT NULL,
        revoked_at timestamptz
      )`);
    await db.query(`CREATE INDEX ON sessions (user_id)`);
    await db.query(`
      CREATE TABLE refresh_tokens (
        id uuid PRIMARY KEY,
        session_id uuid NOT NULL REFERENCES sessions (id),
        token_hash bytea NOT NULL UNIQUE,
        expires_at timestamptz NOT NULL,
        used_at timestamptz
      )`);
    await db.query(`CREATE INDEX ON refresh_tokens (session_id)`);
    await db.query(`
      CREATE TABLE api_keys (
        id uuid PRIMARY KEY,
        name text NOT NULL,
        prefix text NOT NULL,
        secret_hash bytea NOT NULL UNIQUE,
        scopes text[] NOT NULL,
        user_id uuid NOT NULL REFERENCES users (id),
        created_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz,
        revoked_at timestamptz
      )`);
    await db.query(`GRANT SELECT, INSERT, UPDATE ON users, sessions, refresh_tokens, api_keys TO {tenant}`);
  }

  private async agents(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE projects (
        id uuid PRIMARY KEY,
        name text NOT NULL,
        description text NOT NULL DEFAULT '',
        version integer NOT NULL DEFAULT 1,
        created_by text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
      )`);
    await db.query(`
      CREATE TABLE agents (
        id uuid PRIMARY KEY,
        project_id uuid NOT NULL REFERENCES projects (id),
        name text NOT NULL,
        description text NOT NULL DEFAULT '',
        definition jsonb NOT NULL,
        api_keys bytea,
        api_key_providers text[] NOT NULL DEFAULT '{}',
        published_version integer,
        version integer NOT NULL DEFAULT 1,
        created_by text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now(),
        deleted_at timestamptz
      )`);
    await db.query(`CREATE INDEX ON agents (project_id, id)`);
    await db.query(`
      CREATE TABLE agent_versions (
        agent_id uuid NOT NULL REFERENCES agents (id),
        number integer NOT NULL,
        definition jsonb NOT NULL,
        published_by text NOT NULL,
        published_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (agent_id, number)
      )`);
    await db.query(`GRANT SELECT, INSERT, UPDATE ON projects, agents TO {tenant}`);
    // Published means unchangeable, for the application too.
    await db.query(`GRANT SELECT, INSERT ON agent_versions TO {tenant}`);
  }

  private async runs(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE runs (
        id uuid PRIMARY KEY,
        agent_id uuid NOT NULL,
        agent_version integer NOT NULL,
        status text NOT NULL CHECK (status IN ('PENDING', 'RUNNING', 'PAUSED', 'COMPLETED', 'FAILED', 'CANCELLED')),
        input_data bytea NOT NULL,
        output_data bytea,
        error jsonb,
        input_tokens integer NOT NULL DEFAULT 0,
        output_tokens integer NOT NULL DEFAULT 0,
        model_calls integer NOT NULL DEFAULT 0,
        attempt integer NOT NULL DEFAULT 0,
        cancel_requested_at timestamptz,
        created_by text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        started_at timestamptz,
        finished_at timestamptz,
        FOREIGN KEY (agent_id, agent_version) REFERENCES agent_versions (agent_id, number)
      )`);
    await db.query(`CREATE INDEX ON runs (agent_id, id)`);
    await db.query(`
      CREATE TABLE run_events (
        run_id uuid NOT NULL REFERENCES runs (id),
        seq integer NOT NULL,
        event bytea NOT NULL,
        PRIMARY KEY (run_id, seq)
      )`);
    await db.query(`
      CREATE TABLE run_checkpoints (
        run_id uuid NOT NULL REFERENCES runs (id),
        call integer NOT NULL,
        fingerprint text NOT NULL,
        result bytea NOT NULL,
        PRIMARY KEY (run_id, call)
      )`);
    await db.query(`GRANT SELECT, INSERT, UPDATE ON runs TO {tenant}`);
    await db.query(`GRANT SELECT, INSERT ON run_events, run_checkpoints TO {tenant}`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
