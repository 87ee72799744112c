import type { MigrationInterface, QueryRunner } from 'typeorm';

/** When it was last told that a destination is far behind, and which checkpoint it was sent last. */
export class CellDeliveryLag20261130090100 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`ALTER TABLE audit.deliveries ADD COLUMN lag_told_at timestamptz`);
    await db.query(`ALTER TABLE audit.deliveries ADD COLUMN checkpoint_size bigint NOT NULL DEFAULT 0`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
