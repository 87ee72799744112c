import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What PostgreSQL gives to everybody and no tenant needs: the catalogs, which tell of neighbours' tables and how many rows
 * they have; functions that tell the same, run SQL from text, or keep something outside the tenant's schema. And the
 * limits of what serves requests.
 */
export class CellHardening20261121000700 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await this.limits(db);
    await this.catalogs(db);
    await this.functions(db);
    await this.announcements(db);
    await db.query(`
      DO $$ BEGIN
        IF has_table_privilege('waxell_tenant', 'pg_catalog.pg_class', 'SELECT')
          OR has_function_privilege('waxell_tenant', 'pg_catalog.pg_notify(text, text)', 'EXECUTE') THEN
          RAISE EXCEPTION 'DATABASE_URL must be a superuser: what tenants may do could not be restricted';
        END IF;
      END $$`);
  }

  /** Of the roles and not of the connections: a pooler in transaction mode passes no such parameter on. */
  private async limits(db: QueryRunner): Promise<void> {
    await db.query(`
      DO $$ DECLARE login text; BEGIN
        FOREACH login IN ARRAY ARRAY['waxell_app', 'waxell_control', 'waxell_audit'] LOOP
          EXECUTE format('ALTER ROLE %I IN DATABASE %I SET statement_timeout = ''15s''', login, current_database());
        END LOOP;
      END $$`);
  }

  /** Only reading them in SQL needs a privilege; the server itself looks names up without. */
  private async catalogs(db: QueryRunner): Promise<void> {
    await db.query(`
      DO $$ DECLARE catalog regclass; BEGIN
        FOR catalog IN
          SELECT c.oid FROM pg_class c, aclexplode(c.relacl) granted
          WHERE c.relnamespace = 'pg_catalog'::regnamespace AND granted.grantee = 0 AND granted.privilege_type = 'SELECT'
        LOOP
          EXECUTE format('REVOKE SELECT ON %s FROM PUBLIC', catalog);
          EXECUTE format('GRANT SELECT ON %s TO waxell_control, waxell_audit, waxell_queue', catalog);
        END LOOP;
      END $$`);
  }

  private async functions(db: QueryRunner): Promise<void> {
    await db.query(`
      DO $$ DECLARE function regprocedure; BEGIN
        FOR function IN
          SELECT oid FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND (
            -- other sessions, other tenants' tables, and what the same connection prepared for other tenants
            proname LIKE 'pg\\_stat\\_get\\_%' OR proname ~ '^pg_(relation|total_relation|table|indexes|database|tablespace)_size$'
            OR proname IN ('pg_prepared_statement', 'pg_cursor', 'pg_lock_status', 'pg_blocking_pids', 'pg_sequence_last_value',
              'pg_relation_filenode', 'pg_relation_filepath', 'pg_export_snapshot', 'pg_logical_emit_message')
            -- SQL from text, which the driver never sees
            OR proname ~ '^(query|cursor|table|schema|database)_to_xml' OR proname = 'ts_stat'
            OR (proname = 'ts_rewrite' AND pronargs = 2)
            -- large objects, which belong to the database and to no schema
            OR proname LIKE 'lo\\_%' OR proname IN ('loread', 'lowrite'))
        LOOP
          EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', function);
        END LOOP;
      END $$`);
    // What organisations use of their quota of storage is measured.
    await db.query(`GRANT EXECUTE ON FUNCTION pg_catalog.pg_total_relation_size(regclass) TO waxell_control`);
  }

  /** A tenant's announcement says whose it is by the role in force, so that nobody announces a neighbour's change. */
  private async announcements(db: QueryRunner): Promise<void> {
    await db.query(`REVOKE EXECUTE ON FUNCTION pg_catalog.pg_notify(text, text) FROM PUBLIC`);
    await db.query(
      `GRANT EXECUTE ON FUNCTION pg_catalog.pg_notify(text, text) TO waxell_control, waxell_queue`,
    );
    await db.query(`
      CREATE FUNCTION work.announce(kind text, id text) RETURNS void
      LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
      RETURN pg_notify('waxell', json_build_object('kind', kind, 'tenant', current_setting('role'), 'id', id)::text)`);
    await db.query(`REVOKE EXECUTE ON FUNCTION work.announce(text, text) FROM PUBLIC`);
    await db.query(`GRANT EXECUTE ON FUNCTION work.announce(text, text) TO waxell_tenant`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
