import type { MigrationInterface, QueryRunner } from 'typeorm';

/** An alert that somebody had acknowledged is opened again by what is found after that. */
export class TenantReopenedAlerts20261130090200 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`ALTER TABLE alerts ADD COLUMN reopenings integer NOT NULL DEFAULT 0`);
    const name = 'alert_notifications_kind_check';
    await db.query(`ALTER TABLE alert_notifications DROP CONSTRAINT ${name}`);
    await db.query(`
      ALTER TABLE alert_notifications ADD CONSTRAINT ${name}
        CHECK (kind IN ('opened', 'reopened', 'escalated', 'acknowledged', 'resolved')) NOT VALID`);
    await db.query(`ALTER TABLE alert_notifications VALIDATE CONSTRAINT ${name}`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
