import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A directory may be known by a client of OAuth, beside its own tokens; and whoever sets one may be a Member. */
export class TenantDirectoryClients20261129061000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`ALTER TABLE scim_directories ADD COLUMN oauth_client_id uuid`);
    await db.query(`
      ALTER TABLE scim_directories ADD CONSTRAINT scim_directories_client
        FOREIGN KEY (oauth_client_id) REFERENCES oauth_clients (id) ON DELETE SET NULL NOT VALID`);
    await db.query(`ALTER TABLE scim_directories VALIDATE CONSTRAINT scim_directories_client`);
    // A client speaks for one directory.
    await db.query(
      `CREATE UNIQUE INDEX scim_directories_client_once ON scim_directories (oauth_client_id) WHERE oauth_client_id IS NOT NULL`,
    );
    const name = 'scim_directories_highest_role_check';
    await db.query(`ALTER TABLE scim_directories DROP CONSTRAINT ${name}`);
    await db.query(`
      ALTER TABLE scim_directories ADD CONSTRAINT ${name}
        CHECK (highest_role IN ('Owner', 'Admin', 'Developer', 'Viewer', 'Member')) NOT VALID`);
    await db.query(`ALTER TABLE scim_directories VALIDATE CONSTRAINT ${name}`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
