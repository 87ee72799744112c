import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Whether the key in the KMS is asked for each value, instead of once for the key that seals them. */
export class TenantHeldKeys20261122007600 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`ALTER TABLE encryption_keys ADD COLUMN holds boolean NOT NULL DEFAULT false`);
    await db.query(
      `ALTER TABLE encryption_keys ADD CONSTRAINT encryption_keys_holds CHECK (NOT holds OR custody = 'customer') NOT VALID`,
    );
    await db.query(`ALTER TABLE encryption_keys VALIDATE CONSTRAINT encryption_keys_holds`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
