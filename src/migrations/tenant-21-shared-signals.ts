import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Who tells the organisation of what has happened to its people elsewhere (CAEP, RISC), and what was told already. */
export class TenantSharedSignals20261129060000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE signal_transmitters (
        id uuid PRIMARY KEY,
        name text NOT NULL,
        state text NOT NULL CHECK (state IN ('active', 'disabled')),
        issuer text NOT NULL,
        audience text NOT NULL,
        jwks_uri text NOT NULL,
        email_subjects boolean NOT NULL,
        highest_role text NOT NULL CHECK (highest_role IN ('Owner', 'Admin', 'Developer', 'Viewer', 'Member')),
        token_hash bytea NOT NULL UNIQUE,
        token_prefix text NOT NULL,
        former_token_hash bytea,
        former_token_until timestamptz,
        last_used_at timestamptz,
        verified_state text,
        verified_at timestamptz,
        stream_status text CHECK (stream_status IN ('enabled', 'paused', 'disabled')),
        stream_status_at timestamptz,
        version integer NOT NULL DEFAULT 1,
        created_by text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now(),
        CHECK ((former_token_hash IS NULL) = (former_token_until IS NULL))
      )`);
    await db.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON signal_transmitters TO {tenant}`);
    await db.query(`
      CREATE TABLE signals_seen (
        key bytea PRIMARY KEY,
        expires_at timestamptz NOT NULL
      )`);
    await db.query(`CREATE INDEX ON signals_seen (expires_at)`);
    await db.query(`GRANT SELECT, INSERT, DELETE ON signals_seen TO {tenant}`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
