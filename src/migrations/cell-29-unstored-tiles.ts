import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Full tiles of logs that are not in the object store yet, from one up to, not including, another: they follow what is
 * signed, and signing waits for no store.
 */
export class CellUnstoredTiles20261130102000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE audit.unstored (
        log text PRIMARY KEY,
        first bigint NOT NULL,
        last bigint NOT NULL CHECK (last >= first)
      )`);
    await db.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON audit.unstored TO waxell_audit`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
