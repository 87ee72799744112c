import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * How far each destination of a tenant's log has come, and what it refused for good. Beside the log and not in the
 * tenant's schema: whoever exports looks here for work, and a tenant without destinations has no row.
 */
export class CellDeliveries20261122002000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE audit.deliveries (
        tenant text NOT NULL,
        destination uuid NOT NULL,
        seq bigint NOT NULL,
        due_at timestamptz NOT NULL DEFAULT now(),
        failures integer NOT NULL DEFAULT 0,
        error text,
        refused bigint NOT NULL DEFAULT 0,
        delivered_at timestamptz,
        lease_id uuid,
        lease_until timestamptz,
        PRIMARY KEY (tenant, destination)
      )`);
    await db.query(`CREATE INDEX ON audit.deliveries (due_at)`);
    await db.query(`
      CREATE TABLE audit.dead_letters (
        tenant text NOT NULL,
        destination uuid NOT NULL,
        seq bigint NOT NULL,
        reason text NOT NULL,
        at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (tenant, destination, seq)
      )`);
    await db.query(
      `GRANT SELECT, INSERT, UPDATE, DELETE ON audit.deliveries, audit.dead_letters TO waxell_audit`,
    );
    // Whose delivery it is says the role in force, as of an event in the outbox. It begins with what is recorded from now
    // on, or with the first event; one that there is becomes due.
    await db.query(`
      CREATE FUNCTION audit.deliver_to(destination uuid, from_first boolean) RETURNS void
      LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
        INSERT INTO audit.deliveries AS d (tenant, destination, seq)
        VALUES (current_setting('role'), $1,
          CASE WHEN $2 THEN 0
          ELSE COALESCE((SELECT h.seq FROM audit.heads h WHERE h.tenant = current_setting('role')), 0) END)
        ON CONFLICT (tenant, destination) DO UPDATE SET due_at = now(), failures = 0
      $$`);
    await db.query(`REVOKE EXECUTE ON FUNCTION audit.deliver_to(uuid, boolean) FROM PUBLIC`);
    await db.query(`GRANT EXECUTE ON FUNCTION audit.deliver_to(uuid, boolean) TO waxell_tenant`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
