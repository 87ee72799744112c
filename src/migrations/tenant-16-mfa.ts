import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Second factors of people, codes for when they are lost, browsers that are trusted for a while, and what is under way
 * between the first proof and the second. What says anything of a person is sealed under that person's key.
 */
export class TenantSecondFactors20261129020000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await this.marks(db);
    await this.factors(db);
    await this.challenges(db);
    await db.query(`
      CREATE TABLE trusted_devices (
        id uuid PRIMARY KEY,
        user_id uuid NOT NULL REFERENCES users (id),
        secret_hash bytea NOT NULL UNIQUE,
        fingerprint bytea NOT NULL,
        client bytea NOT NULL,
        proved_at timestamptz NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        last_used_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz NOT NULL
      )`);
    await db.query(`CREATE INDEX ON trusted_devices (user_id)`);
    await db.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON trusted_devices TO {tenant}`);
  }

  private async marks(db: QueryRunner): Promise<void> {
    // From when on a person has to have a second factor, if at all: of those who are there already, from now.
    await db.query(`ALTER TABLE users ADD COLUMN second_factor_asked_at timestamptz NOT NULL DEFAULT now()`);
    await db.query(`
      ALTER TABLE sessions
        ADD COLUMN second_factor_at timestamptz,
        ADD COLUMN enrolment_only boolean NOT NULL DEFAULT false`);
  }

  private async factors(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE second_factors (
        id uuid PRIMARY KEY,
        user_id uuid NOT NULL REFERENCES users (id),
        type text NOT NULL CHECK (type IN ('totp', 'webauthn', 'sms')),
        details bytea NOT NULL,
        credential_hash bytea UNIQUE,
        counter bigint NOT NULL DEFAULT 0,
        created_at timestamptz NOT NULL DEFAULT now(),
        active_at timestamptz,
        last_used_at timestamptz
      )`);
    await db.query(`CREATE INDEX ON second_factors (user_id)`);
    await db.query(`
      CREATE TABLE recovery_codes (
        user_id uuid NOT NULL REFERENCES users (id),
        code_hash bytea NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        used_at timestamptz,
        PRIMARY KEY (user_id, code_hash)
      )`);
    await db.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON second_factors, recovery_codes TO {tenant}`);
  }

  private async challenges(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE second_factor_challenges (
        id uuid PRIMARY KEY,
        token_hash bytea NOT NULL UNIQUE,
        purpose text NOT NULL CHECK (purpose IN ('sign_in', 'passkey', 'step_up', 'enrolment')),
        user_id uuid REFERENCES users (id),
        session_id uuid,
        epoch integer,
        place bytea NOT NULL,
        method text,
        note bytea,
        ends_at timestamptz,
        attempts integer NOT NULL DEFAULT 0,
        created_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz NOT NULL
      )`);
    await db.query(`CREATE INDEX ON second_factor_challenges (expires_at)`);
    await db.query(`CREATE INDEX ON second_factor_challenges (user_id)`);
    await db.query(`
      CREATE TABLE text_messages (
        id uuid PRIMARY KEY,
        user_id uuid NOT NULL REFERENCES users (id),
        number_hash bytea NOT NULL,
        code_hash bytea NOT NULL,
        challenge_id uuid,
        sent_at timestamptz NOT NULL DEFAULT now(),
        used_at timestamptz
      )`);
    await db.query(`CREATE INDEX ON text_messages (sent_at)`);
    await db.query(`CREATE INDEX ON text_messages (user_id)`);
    await db.query(
      `GRANT SELECT, INSERT, UPDATE, DELETE ON second_factor_challenges, text_messages TO {tenant}`,
    );
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
