import type { MigrationInterface, QueryRunner } from 'typeorm';

/** How large an organisation's own table is, which says how many rows it has at most without counting them. */
export class CellOwnBytes20261129060000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    // Whose table is meant says the role in force, as with announcements: nobody measures a neighbour's.
    await db.query(`
      CREATE FUNCTION work.own_bytes(name text) RETURNS bigint
      LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
      RETURN pg_relation_size(to_regclass(format('%I.%I', current_setting('role'), name)))`);
    await db.query(`REVOKE EXECUTE ON FUNCTION work.own_bytes(text) FROM PUBLIC`);
    await db.query(`GRANT EXECUTE ON FUNCTION work.own_bytes(text) TO waxell_tenant`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
