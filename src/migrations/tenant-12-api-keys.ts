import type { MigrationInterface, QueryRunner } from 'typeorm';

/** From where an API key may be used, how often, and which key has taken its place. NULL where there is none of it. */
export class TenantApiKeys20261122007500 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      ALTER TABLE api_keys
        ADD COLUMN allowed_networks text[],
        ADD COLUMN requests_per_minute integer CHECK (requests_per_minute > 0),
        ADD COLUMN replaced_by uuid`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
