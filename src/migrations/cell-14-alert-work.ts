import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Which tenants have notifications to send, or alerts to escalate, and when the first of them is due. */
export class CellAlertWork20261122003200 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE work.alerts (
        tenant text PRIMARY KEY,
        due_at timestamptz NOT NULL
      )`);
    await db.query(`CREATE INDEX ON work.alerts (due_at)`);
    await db.query(`GRANT SELECT, UPDATE, DELETE ON work.alerts TO waxell_control`);
    // Whose it is says the role in force.
    await db.query(`
      CREATE FUNCTION work.attend_alerts(due timestamptz) RETURNS void
      LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
        INSERT INTO work.alerts AS a (tenant, due_at) VALUES (current_setting('role'), $1)
        ON CONFLICT (tenant) DO UPDATE SET due_at = least(a.due_at, $1)
      $$`);
    await db.query(`REVOKE EXECUTE ON FUNCTION work.attend_alerts(timestamptz) FROM PUBLIC`);
    await db.query(`GRANT EXECUTE ON FUNCTION work.attend_alerts(timestamptz) TO waxell_tenant`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
