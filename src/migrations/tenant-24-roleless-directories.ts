import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A directory may add people as Members, who may do what their groups are granted and nothing else. */
export class TenantRolelessDirectories20261129063000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    const name = 'scim_directories_default_role_check';
    await db.query(`ALTER TABLE scim_directories DROP CONSTRAINT ${name}`);
    await db.query(`
      ALTER TABLE scim_directories ADD CONSTRAINT ${name}
        CHECK (default_role IN ('Admin', 'Developer', 'Viewer', 'Member')) NOT VALID`);
    await db.query(`ALTER TABLE scim_directories VALIDATE CONSTRAINT ${name}`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
