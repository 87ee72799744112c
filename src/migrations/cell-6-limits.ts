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
    // A change of the registry and its event commit together. Adding is all: the log itself stays out of reach.
    await db.query(`GRANT USAGE ON SCHEMA audit TO waxell_control`);
    await db.query(`GRANT INSERT (tenant, event) ON audit.outbox TO waxell_control`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
