import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Limits of what serves requests, kept by the server itself. */
export class CellHardening20261121000700 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    // Of the roles and not of the connections: a pooler in transaction mode passes no such parameter on.
    await db.query(`
      DO $$ DECLARE login text; BEGIN
        FOREACH login IN ARRAY ARRAY['waxell_app', 'waxell_control', 'waxell_audit'] LOOP
          EXECUTE format('ALTER ROLE %I IN DATABASE %I SET statement_timeout = ''15s''', login, current_database());
        END LOOP;
      END $$`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
