import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Ranges of cold logs that somebody had loaded, to search them: copies, for some days. */
export class CellRestores20261122003000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE audit.restores (
        id uuid PRIMARY KEY,
        tenant text NOT NULL,
        first bigint NOT NULL,
        last bigint NOT NULL CHECK (last >= first),
        status text NOT NULL DEFAULT 'LOADING' CHECK (status IN ('LOADING', 'READY', 'FAILED')),
        error text,
        created_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz NOT NULL
      )`);
    await db.query(`CREATE INDEX ON audit.restores (tenant, created_at)`);
    await db.query(`CREATE INDEX ON audit.restores (expires_at)`);
    await db.query(`
      CREATE TABLE audit.restored (
        restore uuid NOT NULL REFERENCES audit.restores (id) ON DELETE CASCADE,
        seq bigint NOT NULL,
        at timestamptz NOT NULL,
        action text NOT NULL,
        actor text NOT NULL,
        event bytea NOT NULL,
        chain_hash bytea NOT NULL,
        PRIMARY KEY (restore, seq)
      )`);
    await db.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON audit.restores TO waxell_audit`);
    await db.query(`GRANT SELECT, INSERT ON audit.restored TO waxell_audit`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
