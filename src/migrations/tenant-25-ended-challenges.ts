import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What whoever gave the first proof of a sign-in finds it again by, to end it before the second is given. */
export class TenantEndedChallenges20261130010000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`ALTER TABLE second_factor_challenges ADD COLUMN found_by text[]`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
