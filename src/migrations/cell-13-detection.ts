import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Up to where each log was looked at, and when it is worth looking again: a hint that finds the logs that have grown. The
 * truth is in the tenants' schemas; a hint that is missing or old costs one look.
 */
export class CellDetection20261122003100 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE audit.looked_at (
        tenant text PRIMARY KEY,
        seq bigint NOT NULL,
        due_at timestamptz NOT NULL DEFAULT now()
      )`);
    await db.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON audit.looked_at TO waxell_audit`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
