import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What a log proves itself with: signed checkpoints, the upper levels of its Merkle tree, and the log of all checkpoints.
 * The keys that sign are the installation's, in the home database; the others keep that table empty.
 */
export class CellCheckpoints20261121000500 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE audit.checkpoints (
        log text NOT NULL,
        size bigint NOT NULL,
        root bytea NOT NULL,
        note text NOT NULL,
        at timestamptz NOT NULL DEFAULT now(),
        root_seq bigint,
        stored boolean NOT NULL DEFAULT true,
        PRIMARY KEY (log, size)
      )`);
    await db.query(`CREATE INDEX ON audit.checkpoints (size) WHERE NOT stored`);
    await db.query(`CREATE INDEX ON audit.checkpoints (root_seq)`);
    await db.query(`CREATE INDEX ON audit.checkpoints (at)`);
    // Of each log: how far it is checkpointed, and how many full tiles of leaves went into the levels above; of the log of
    // checkpoints, which has no other head, its frontier too.
    await db.query(`
      CREATE TABLE audit.progress (
        log text PRIMARY KEY,
        size bigint NOT NULL DEFAULT 0,
        tiles bigint NOT NULL DEFAULT 0,
        frontier bytea
      )`);
    await db.query(`
      CREATE TABLE audit.tiles (
        log text NOT NULL,
        level smallint NOT NULL CHECK (level > 0),
        index bigint NOT NULL,
        hashes bytea NOT NULL,
        PRIMARY KEY (log, level, index)
      )`);
    // Hashes alone: what is in it stays, and names nobody.
    await db.query(`
      CREATE TABLE audit.roots (
        seq bigint PRIMARY KEY,
        leaf_hash bytea NOT NULL
      )`);
    await db.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON audit.checkpoints TO waxell_audit`);
    await db.query(`GRANT SELECT, INSERT, UPDATE ON audit.progress, audit.tiles TO waxell_audit`);
    await db.query(`GRANT SELECT, INSERT ON audit.roots TO waxell_audit`);
    await db.query(`
      CREATE TABLE control.checkpoint_keys (
        id text PRIMARY KEY,
        verifier text NOT NULL,
        private_key bytea NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        retired_at timestamptz
      )`);
    await db.query(`GRANT SELECT, INSERT, UPDATE ON control.checkpoint_keys TO waxell_control`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
