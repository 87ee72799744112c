import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The registry knows each tenant's cell; what takes longer than a request is kept as an operation; and a change of the
 * registry commits with its event in the installation's own log.
 */
export class CellCells20261121000200 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`ALTER TABLE control.tenants ADD COLUMN cell text`);
    await db.query(`UPDATE control.tenants SET cell = region || '-c1'`);
    await db.query(
      `ALTER TABLE control.tenants ADD CONSTRAINT tenants_cell_known CHECK (cell IS NOT NULL) NOT VALID`,
    );
    await db.query(`ALTER TABLE control.tenants VALIDATE CONSTRAINT tenants_cell_known`);
    await db.query(`ALTER TABLE control.tenants ALTER COLUMN cell SET NOT NULL`);
    await db.query(`CREATE INDEX ON control.tenants (region, cell)`);
    await db.query(`
      CREATE TABLE control.operations (
        id uuid PRIMARY KEY,
        kind text NOT NULL,
        tenant text NOT NULL,
        step text NOT NULL,
        data jsonb NOT NULL DEFAULT '{}',
        status text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'done', 'failed')),
        error text,
        attempts integer NOT NULL DEFAULT 0,
        due_at timestamptz NOT NULL DEFAULT now(),
        lease_id uuid,
        lease_until timestamptz,
        created_at timestamptz NOT NULL DEFAULT now(),
        finished_at timestamptz
      )`);
    await db.query(`CREATE INDEX ON control.operations (due_at) WHERE status = 'running'`);
    await db.query(`CREATE UNIQUE INDEX ON control.operations (tenant, kind) WHERE status = 'running'`);
    await db.query(`CREATE INDEX ON control.operations (tenant, created_at)`);
    await db.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON control.operations TO waxell_control`);
    await db.query(`GRANT USAGE ON SCHEMA audit TO waxell_control`);
    await db.query(`GRANT INSERT (tenant, event) ON audit.outbox TO waxell_control`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
