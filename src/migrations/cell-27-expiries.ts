import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Which event of a log says that its beginning is gone. Whoever stores objects of cold logs can say neither that one is
 * published nor that its time was over: that is the owner's, who deletes them.
 */
export class CellExpiries20261130100000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`ALTER TABLE audit.cold ADD COLUMN vouched_by bigint`);
    await db.query(`REVOKE INSERT ON audit.cold FROM waxell_audit`);
    await db.query(`
      GRANT INSERT (tenant, first, last, period, bytes, sha256, chain_hash, frontier, leaves, appended_before,
        locked_until, held) ON audit.cold TO waxell_audit`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
