import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Moving a tenant to another cell. Whether a tenant may write here is for the database to say: a process that has not
 * heard of the move is refused like any other.
 */
export class CellMoves20261121000400 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    // In the registry: what is under way. `pause_id` names one pause of writes; the cut-over needs the very one that it began.
    await db.query(`
      ALTER TABLE control.tenants
        ADD COLUMN move_id uuid,
        ADD COLUMN moving_to text,
        ADD COLUMN move_cancelled boolean NOT NULL DEFAULT false,
        ADD COLUMN pause_id uuid`);
    for (const [name, check] of [
      ['tenants_move_known', '(moving_to IS NULL) = (move_id IS NULL)'],
      ['tenants_pause_moves', 'pause_id IS NULL OR moving_to IS NOT NULL'],
      ['tenants_move_elsewhere', 'moving_to <> cell'],
    ]) {
      await db.query(`ALTER TABLE control.tenants ADD CONSTRAINT ${name} CHECK (${check}) NOT VALID`);
      await db.query(`ALTER TABLE control.tenants VALIDATE CONSTRAINT ${name}`);
    }
    await db.query(`CREATE INDEX ON control.tenants (moving_to) WHERE moving_to IS NOT NULL`);
    await this.pauses(db);
    // A log that is closed cannot be added to, whoever tries: its head may not advance.
    await db.query(`ALTER TABLE audit.heads ADD COLUMN closed_at bigint`);
    await db.query(`ALTER TABLE audit.heads ADD CONSTRAINT log_is_open CHECK (closed_at = seq) NOT VALID`);
    await db.query(`ALTER TABLE audit.heads VALIDATE CONSTRAINT log_is_open`);
    await db.query(`REVOKE UPDATE ON audit.heads FROM waxell_audit`);
    await db.query(`GRANT UPDATE (seq, chain_hash, frontier) ON audit.heads TO waxell_audit`);
  }

  /**
   * In each cell: whose writes are paused, with the grants that were taken away. Events and orders to run go into tables
   * that all tenants share, where no grant is one tenant's: there a trigger refuses. The lock that it takes lets the pause
   * wait for the transactions that have written before it.
   */
  private async pauses(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE control.write_pauses (
        tenant text PRIMARY KEY,
        grants text[] NOT NULL,
        since timestamptz NOT NULL DEFAULT clock_timestamp()
      )`);
    await db.query(`
      CREATE FUNCTION control.refuse_paused() RETURNS trigger
      LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
      BEGIN
        PERFORM pg_advisory_xact_lock_shared(7283006, hashtext(NEW.tenant));
        IF to_regnamespace(NEW.tenant) IS NULL
          OR EXISTS (SELECT FROM control.write_pauses WHERE tenant = NEW.tenant) THEN
          RAISE EXCEPTION 'this tenant does not write here' USING ERRCODE = 'WX001';
        END IF;
        RETURN NEW;
      END $$`);
    await db.query(`REVOKE EXECUTE ON FUNCTION control.refuse_paused() FROM PUBLIC`);
    for (const table of ['audit.outbox', 'work.runs']) {
      await db.query(
        `CREATE TRIGGER refuse_paused BEFORE INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION control.refuse_paused()`,
      );
    }
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
