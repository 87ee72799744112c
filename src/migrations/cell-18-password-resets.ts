import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Requests for a link by which a password is set anew, on their way to who sends it. A tenant's role may add one, sealed
 * and stamped with its own name, and can neither see nor change any.
 */
export class CellPasswordResets20261122007200 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE work.password_resets (
        id uuid PRIMARY KEY,
        tenant text NOT NULL,
        request bytea NOT NULL CHECK (octet_length(request) <= 4096),
        attempts integer NOT NULL DEFAULT 0,
        due_at timestamptz NOT NULL DEFAULT now(),
        created_at timestamptz NOT NULL DEFAULT now()
      )`);
    await db.query(`CREATE INDEX ON work.password_resets (due_at)`);
    await db.query(`CREATE INDEX ON work.password_resets (tenant)`);
    await db.query(`GRANT SELECT, UPDATE, DELETE ON work.password_resets TO waxell_control`);
    // Whose it is says the role in force. Beyond as many of one tenant, further requests are dropped: whoever means it
    // asks again.
    await db.query(`
      CREATE FUNCTION work.ask_password_reset(request_id uuid, request bytea) RETURNS void
      LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
        INSERT INTO work.password_resets (id, tenant, request)
        SELECT $1, current_setting('role'), $2
        WHERE (SELECT count(*) FROM (SELECT 1 FROM work.password_resets WHERE tenant = current_setting('role') LIMIT 1000) waiting) < 1000
      $$`);
    await db.query(`REVOKE EXECUTE ON FUNCTION work.ask_password_reset(uuid, bytea) FROM PUBLIC`);
    await db.query(`GRANT EXECUTE ON FUNCTION work.ask_password_reset(uuid, bytea) TO waxell_tenant`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
