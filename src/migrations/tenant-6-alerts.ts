import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What following a tenant's log has come to: how far, what is remembered of it, how each rule is set, and the alerts.
 * In the tenant's schema, so that an alert, what led to it and its event commit together.
 */
export class TenantAlerts20261122003100 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE detection_progress (
        singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
        seq bigint NOT NULL,
        chain_hash bytea NOT NULL
      )`);
    await db.query(`
      CREATE TABLE detection_state (
        part text PRIMARY KEY,
        value jsonb NOT NULL
      )`);
    await db.query(`
      CREATE TABLE detection_rules (
        rule text PRIMARY KEY,
        settings jsonb NOT NULL,
        version integer NOT NULL DEFAULT 1,
        updated_by text NOT NULL,
        updated_at timestamptz NOT NULL DEFAULT now()
      )`);
    await db.query(`
      CREATE TABLE alerts (
        id uuid PRIMARY KEY,
        rule text NOT NULL,
        key text NOT NULL,
        severity text NOT NULL CHECK (severity IN ('P1', 'P2', 'P3', 'P4')),
        status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'acknowledged', 'resolved')),
        title text NOT NULL,
        details jsonb NOT NULL,
        subject bytea,
        occurrences integer NOT NULL DEFAULT 1,
        first_seq bigint NOT NULL,
        last_seq bigint NOT NULL,
        opened_at timestamptz NOT NULL DEFAULT now(),
        acknowledge_by timestamptz NOT NULL,
        escalations integer NOT NULL DEFAULT 0,
        acknowledged_at timestamptz,
        acknowledged_by text,
        resolved_at timestamptz,
        resolved_by text,
        version integer NOT NULL DEFAULT 1
      )`);
    // While an alert is not resolved, the same finding is the same alert.
    await db.query(`CREATE UNIQUE INDEX one_alert_of_a_key ON alerts (rule, key) WHERE status <> 'resolved'`);
    await db.query(`CREATE INDEX ON alerts (acknowledge_by) WHERE status = 'open'`);
    await db.query(
      `GRANT SELECT, INSERT, UPDATE ON detection_progress, detection_state, detection_rules, alerts TO {tenant}`,
    );
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
