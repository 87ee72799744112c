import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A key for each person, the phone number, and persons who were erased: of whom the row is left, and nothing that says who. */
export class TenantSubjects20261122005000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE subject_keys (
        id uuid PRIMARY KEY,
        person uuid NOT NULL REFERENCES users (id),
        state text NOT NULL DEFAULT 'current' CHECK (state IN ('current', 'opens', 'destroyed')),
        wrapped bytea,
        wrapped_by uuid,
        created_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT subject_keys_wrapped CHECK ((wrapped IS NULL) = (state = 'destroyed') AND (wrapped_by IS NULL) = (state = 'destroyed'))
      )`);
    await db.query(
      `CREATE UNIQUE INDEX subject_keys_current ON subject_keys (person) WHERE state = 'current'`,
    );
    await db.query(`CREATE INDEX ON subject_keys (person)`);
    await db.query(`CREATE INDEX ON subject_keys (wrapped_by)`);
    await db.query(`GRANT SELECT, INSERT, UPDATE (state, wrapped, wrapped_by) ON subject_keys TO {tenant}`);
    await db.query(`ALTER TABLE users ADD COLUMN phone bytea`);
    await db.query(`ALTER TABLE users ALTER COLUMN email DROP NOT NULL`);
    for (const [name, check] of [
      ['users_status_check', `status IN ('active', 'disabled', 'erased')`],
      [
        'users_email_found',
        `status = 'erased' OR (email IS NOT NULL AND (email_index IS NOT NULL OR email_index_alt IS NOT NULL))`,
      ],
    ]) {
      await db.query(`ALTER TABLE users DROP CONSTRAINT ${name}`);
      await db.query(`ALTER TABLE users ADD CONSTRAINT ${name} CHECK (${check}) NOT VALID`);
      await db.query(`ALTER TABLE users VALIDATE CONSTRAINT ${name}`);
    }
    await db.query(`
      ALTER TABLE users ADD CONSTRAINT users_erased CHECK (status <> 'erased' OR (email IS NULL AND email_index IS NULL
        AND email_index_alt IS NULL AND display_name IS NULL AND phone IS NULL AND password_hash IS NULL)) NOT VALID`);
    await db.query(`ALTER TABLE users VALIDATE CONSTRAINT users_erased`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
