import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Whom alerts are told, and what was told: a notification is made in the transaction of what it tells of. */
export class TenantNotifications20261122003200 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE alert_channels (
        id uuid PRIMARY KEY,
        name text NOT NULL,
        kind text NOT NULL CHECK (kind IN ('pagerduty', 'webhook', 'email')),
        minimum_severity text NOT NULL CHECK (minimum_severity IN ('P1', 'P2', 'P3', 'P4')),
        recipient bytea NOT NULL,
        enabled boolean NOT NULL DEFAULT true,
        version integer NOT NULL DEFAULT 1,
        created_by text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
      )`);
    await db.query(`
      CREATE TABLE alert_notifications (
        id uuid PRIMARY KEY,
        alert_id uuid NOT NULL REFERENCES alerts (id),
        channel_id uuid NOT NULL REFERENCES alert_channels (id) ON DELETE CASCADE,
        kind text NOT NULL CHECK (kind IN ('opened', 'escalated', 'acknowledged', 'resolved')),
        due_at timestamptz NOT NULL DEFAULT now(),
        attempts integer NOT NULL DEFAULT 0,
        error text,
        created_at timestamptz NOT NULL DEFAULT now(),
        ended_at timestamptz
      )`);
    await db.query(`CREATE INDEX ON alert_notifications (due_at) WHERE ended_at IS NULL`);
    await db.query(`CREATE INDEX ON alert_notifications (alert_id)`);
    await db.query(`CREATE INDEX ON alert_notifications (channel_id)`);
    await db.query(`ALTER TABLE alerts ADD COLUMN escalate_at timestamptz`);
    await db.query(`CREATE INDEX ON alerts (escalate_at) WHERE status = 'open'`);
    await db.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON alert_channels TO {tenant}`);
    await db.query(`GRANT SELECT, INSERT, UPDATE ON alert_notifications TO {tenant}`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
