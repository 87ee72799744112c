import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Whose key in the KMS wraps a key: the one that was made for the tenant, or one that the customer keeps. */
export class TenantCustody20261122004000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`ALTER TABLE encryption_keys ADD COLUMN custody text NOT NULL DEFAULT 'ours'`);
    await db.query(
      `ALTER TABLE encryption_keys ADD CONSTRAINT encryption_keys_custody CHECK (custody IN ('ours', 'customer')) NOT VALID`,
    );
    await db.query(`ALTER TABLE encryption_keys VALIDATE CONSTRAINT encryption_keys_custody`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
