import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Which domain is verified for which organisation: in the home database, so that in all of them it is one organisation's. */
export class CellDomains20261122009000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE control.domains (
        name text PRIMARY KEY,
        tenant text NOT NULL REFERENCES control.tenants (id) ON DELETE CASCADE,
        verified_at timestamptz NOT NULL DEFAULT now()
      )`);
    await db.query(`CREATE INDEX ON control.domains (tenant)`);
    await db.query(`GRANT SELECT, INSERT, DELETE ON control.domains TO waxell_control`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
