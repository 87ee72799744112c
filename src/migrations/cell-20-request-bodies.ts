import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What of the bodies of requests goes into the events of an organisation. */
export class CellRequestBodies20261122007500 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`ALTER TABLE control.tenants ADD COLUMN request_bodies text NOT NULL DEFAULT 'none'`);
    await db.query(
      `ALTER TABLE control.tenants ADD CONSTRAINT tenants_request_bodies CHECK (request_bodies IN ('none', 'redacted', 'full')) NOT VALID`,
    );
    await db.query(`ALTER TABLE control.tenants VALIDATE CONSTRAINT tenants_request_bodies`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
