import type { MigrationInterface, QueryRunner } from 'typeorm';

/** How an organisation's people sign in, as its administrators set it. NULL where they have set nothing. */
export class CellSignIn20261122007000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      ALTER TABLE control.tenants
        ADD COLUMN sign_in_rules jsonb CHECK (jsonb_typeof(sign_in_rules) = 'object'),
        ADD COLUMN sign_in_rules_version integer NOT NULL DEFAULT 0`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
