import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What of the logs is in the object store and no longer here, and for how long who keeps it. Of each object: which events
 * it has, its digest, and where chain and tree stood after its last one, so that what follows is verified without it.
 */
export class CellColdLogs20261121000720 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE audit.cold (
        tenant text NOT NULL,
        first bigint NOT NULL,
        last bigint NOT NULL CHECK (last >= first),
        period integer,
        bytes integer NOT NULL,
        sha256 bytea NOT NULL,
        chain_hash bytea NOT NULL,
        frontier bytea NOT NULL,
        leaves bytea NOT NULL,
        appended_before timestamptz NOT NULL,
        locked_until timestamptz,
        held boolean NOT NULL DEFAULT false,
        published boolean NOT NULL DEFAULT false,
        expired_at timestamptz,
        PRIMARY KEY (tenant, first)
      )`);
    await db.query(`CREATE INDEX ON audit.cold (period) WHERE period IS NOT NULL`);
    await db.query(`CREATE INDEX ON audit.cold (appended_before) WHERE expired_at IS NULL`);
    await db.query(`CREATE INDEX ON audit.cold (tenant) WHERE held`);
    await db.query(`GRANT SELECT, INSERT ON audit.cold TO waxell_audit`);
    // Objects of tenants that have left this cell, or are purged, and that may not be deleted yet.
    await db.query(`
      CREATE TABLE work.retained_objects (
        key text PRIMARY KEY,
        retain_until timestamptz NOT NULL
      )`);
    await db.query(`CREATE INDEX ON work.retained_objects (retain_until)`);
    await db.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON work.retained_objects TO waxell_control`);
    // In the registry: what an organisation has set for its log. Why it is held is sealed under its keys.
    await db.query(`
      CREATE TABLE control.log_retention (
        tenant text PRIMARY KEY REFERENCES control.tenants (id) ON DELETE CASCADE,
        hot_days integer,
        cold_days integer,
        held_since timestamptz,
        held_by text CHECK (held_by IN ('owner', 'operator')),
        held_reason bytea,
        version integer NOT NULL DEFAULT 0,
        CHECK ((held_since IS NULL) = (held_by IS NULL) AND (held_since IS NULL) = (held_reason IS NULL))
      )`);
    await db.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON control.log_retention TO waxell_control`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
