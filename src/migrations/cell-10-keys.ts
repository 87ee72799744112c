import type { MigrationInterface, QueryRunner } from 'typeorm';

/** When each tenant's field key is to be rotated, and how often it has wrapped. Read in the home database only. */
export class CellKeys20261122000100 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE control.key_schedules (
        tenant text PRIMARY KEY CHECK (tenant ~ '^t_[0-9a-f]{16}$'),
        kek uuid NOT NULL,
        wraps bigint NOT NULL,
        rotate_days integer NOT NULL DEFAULT 365 CHECK (rotate_days BETWEEN 1 AND 3650),
        rotate_at timestamptz NOT NULL
      )`);
    await db.query(`CREATE INDEX ON control.key_schedules (rotate_at)`);
    await db.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON control.key_schedules TO waxell_control`);
    // What the installation's own keys have sealed is sealed anew when they are replaced.
    await db.query(`GRANT UPDATE (private_key) ON control.signing_keys TO waxell_control`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
