import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Fields of bodies of requests that an organisation does not want in its log, by their names. */
export class CellWithheldFields20261130103000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`ALTER TABLE control.tenants ADD COLUMN withheld_fields text[] NOT NULL DEFAULT '{}'`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
