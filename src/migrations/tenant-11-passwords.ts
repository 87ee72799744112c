import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Former passwords, links by which one is set anew, failed sign-ins, and where people have signed in from. Hashes all of them. */
export class TenantPasswords20261122007300 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE password_history (
        id uuid PRIMARY KEY,
        user_id uuid NOT NULL REFERENCES users (id),
        password_hash text NOT NULL,
        replaced_at timestamptz NOT NULL DEFAULT now()
      )`);
    await db.query(`CREATE INDEX ON password_history (user_id)`);
    await db.query(`
      CREATE TABLE password_resets (
        token_hash bytea PRIMARY KEY,
        user_id uuid NOT NULL REFERENCES users (id),
        created_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz NOT NULL,
        used_at timestamptz
      )`);
    await db.query(`CREATE INDEX ON password_resets (user_id)`);
    await db.query(`
      CREATE TABLE sign_in_attempts (
        key text PRIMARY KEY,
        attempts integer NOT NULL,
        last_at timestamptz NOT NULL,
        locked_until timestamptz
      )`);
    await db.query(`
      CREATE TABLE sign_in_places (
        user_id uuid NOT NULL REFERENCES users (id),
        fingerprint bytea NOT NULL,
        seen_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (user_id, fingerprint)
      )`);
    await db.query(`GRANT SELECT, INSERT, DELETE ON password_history TO {tenant}`);
    await db.query(
      `GRANT SELECT, INSERT, UPDATE, DELETE ON password_resets, sign_in_attempts, sign_in_places TO {tenant}`,
    );
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
