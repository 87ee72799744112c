import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Where a tenant's log is delivered to. How far each has come is in the cell's `audit.deliveries`. */
export class TenantDestinations20261122002000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE audit_destinations (
        id uuid PRIMARY KEY,
        name text NOT NULL,
        kind text NOT NULL CHECK (kind IN ('splunk_hec', 'datadog', 'webhook', 'stdout')),
        settings jsonb NOT NULL,
        credentials bytea,
        paused boolean NOT NULL DEFAULT false,
        version integer NOT NULL DEFAULT 1,
        created_by text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
      )`);
    await db.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON audit_destinations TO {tenant}`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
