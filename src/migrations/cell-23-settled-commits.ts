import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Waits until everything that its session has committed is as durable as the server makes a commit. */
export class CellSettledCommits20261130081500 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    // Only what writes to the write-ahead log has a commit that is waited for: an empty message, which nobody reads.
    await db.query(`
      CREATE FUNCTION work.settle() RETURNS pg_lsn
      LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
      RETURN pg_logical_emit_message(true, 'waxell', ''::text)`);
    await db.query(`REVOKE EXECUTE ON FUNCTION work.settle() FROM PUBLIC`);
    await db.query(`GRANT USAGE ON SCHEMA work TO waxell_app`);
    await db.query(`GRANT EXECUTE ON FUNCTION work.settle() TO waxell_app`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
