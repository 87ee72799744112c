import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Which organisation has attached which key that a customer keeps: no two may be under one. Kept as a hash of the key's ARN,
 * as it is known in the home region, until the organisation is gone.
 */
export class CellCustomerKeys20261130091500 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE control.customer_keys (
        key_hash bytea PRIMARY KEY,
        tenant text NOT NULL,
        attached_at timestamptz NOT NULL DEFAULT now()
      )`);
    await db.query(`CREATE INDEX ON control.customer_keys (tenant)`);
    await db.query(`GRANT SELECT, INSERT, DELETE ON control.customer_keys TO waxell_control`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
