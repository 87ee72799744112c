import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Where in the log of all checkpoints those are that are no longer kept: whoever has kept one can have it proven. A row
 * for each that was signed, and so none for a log in which nothing happens.
 */
export class CellPublications20261130101000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    // The cell in whose log of checkpoints it is, where that is another: the tenant has moved since.
    await db.query(`ALTER TABLE audit.checkpoints ADD COLUMN published_in text`);
    await db.query(`
      CREATE TABLE audit.published (
        log text NOT NULL,
        size bigint NOT NULL,
        root_seq bigint NOT NULL,
        published_in text,
        PRIMARY KEY (log, size)
      )`);
    await db.query(`GRANT SELECT, INSERT ON audit.published TO waxell_audit`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
