import type { MigrationInterface, QueryRunner } from 'typeorm';

/** How a tenant may be called: rate limits of the operator, network rules of the organisation. NULL where there are none. */
export class CellLimits20261121000600 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      ALTER TABLE control.tenants
        ADD COLUMN rate_limits jsonb CHECK (jsonb_typeof(rate_limits) = 'object'),
        ADD COLUMN rate_limits_version integer NOT NULL DEFAULT 0,
        ADD COLUMN network_rules jsonb CHECK (jsonb_typeof(network_rules) = 'object'),
        ADD COLUMN network_rules_version integer NOT NULL DEFAULT 0`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
