import type { MigrationInterface, QueryRunner } from 'typeorm';

/** How far each log has been verified anew in the background, and when it goes on: where chain and tree stood there. */
export class CellRechecks20261130090000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE audit.rechecked (
        tenant text PRIMARY KEY,
        seq bigint NOT NULL DEFAULT 0,
        chain_hash bytea,
        frontier bytea,
        due_at timestamptz NOT NULL
      )`);
    await db.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON audit.rechecked TO waxell_audit`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
