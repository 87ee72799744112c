import type { MigrationInterface, QueryRunner } from 'typeorm';

/** In which projects alone a key or a client may do anything. NULL: wherever its person, or its role, may. */
export class TenantCredentialProjects20261130120000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    for (const table of ['api_keys', 'oauth_clients'])
      await db.query(`
        ALTER TABLE ${table}
          ADD COLUMN projects uuid[] CHECK (cardinality(projects) BETWEEN 1 AND 50)`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
