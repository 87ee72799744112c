import type { MigrationInterface, QueryRunner } from 'typeorm';

/** When a session has proved its password again; and keys that were destroyed, of which the rows are left. */
export class TenantStepUp20261122003000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`ALTER TABLE sessions ADD COLUMN stepped_up_at timestamptz`);
    await db.query(`ALTER TABLE encryption_keys DROP CONSTRAINT encryption_keys_state`);
    const states = `state IN ('current', 'opens', 'filling', 'draining', 'retired', 'destroyed')`;
    await db.query(
      `ALTER TABLE encryption_keys ADD CONSTRAINT encryption_keys_state CHECK (${states}) NOT VALID`,
    );
    await db.query(`ALTER TABLE encryption_keys VALIDATE CONSTRAINT encryption_keys_state`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
