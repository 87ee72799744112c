import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Searches of logs whose result somebody had saved, for some days: what is known of each. The content is in the object store. */
export class CellSavedExports20261122006100 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE audit.exports (
        id uuid PRIMARY KEY,
        tenant text NOT NULL,
        format text NOT NULL CHECK (format IN ('jsonl', 'csv')),
        filter bytea NOT NULL,
        first bigint NOT NULL,
        last bigint NOT NULL,
        status text NOT NULL DEFAULT 'WRITING' CHECK (status IN ('WRITING', 'READY', 'FAILED')),
        error text,
        events bigint,
        bytes bigint,
        sha256 bytea,
        parts integer,
        created_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz NOT NULL
      )`);
    await db.query(`CREATE INDEX ON audit.exports (tenant, created_at)`);
    await db.query(`CREATE INDEX ON audit.exports (expires_at)`);
    await db.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON audit.exports TO waxell_audit`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
