import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Which of an organisation's domains a connection is for; none: those that no other one is for. */
export class TenantConnectionDomains20261130110100 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`ALTER TABLE sso_connections ADD COLUMN domains text[] NOT NULL DEFAULT '{}'`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
