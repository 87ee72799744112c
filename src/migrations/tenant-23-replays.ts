import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Requests of directories that an administrator has run again: of which it is one, and who did. */
export class TenantReplays20261129062000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    // No foreign key: the one that it names is forgotten first, after its thirty days.
    await db.query(`ALTER TABLE scim_requests ADD COLUMN replay_of uuid`);
    await db.query(`ALTER TABLE scim_requests ADD COLUMN replayed_by text`);
    await db.query(`CREATE INDEX ON scim_requests (replay_of) WHERE replay_of IS NOT NULL`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
