import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What a tenant uses of its quotas. The row of a quota is also the lock under which its use is counted. */
export class TenantQuotas20261121000300 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE quota_usage (
        quota text PRIMARY KEY,
        used bigint NOT NULL DEFAULT 0,
        day date,
        measured_at timestamptz
      )`);
    await db.query(`GRANT SELECT, INSERT, UPDATE ON quota_usage TO {tenant}`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
