import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A tenant's life: suspended, deleted with a grace period, purged. Every name that leads to a tenant, present or former,
 * is in one table, so that no two can claim the same. What is left of a purged tenant is its id.
 */
export class CellLifecycle20261121000300 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`ALTER TABLE control.tenants DROP CONSTRAINT tenants_status_check`);
    await db.query(`
      ALTER TABLE control.tenants
        ADD COLUMN version integer NOT NULL DEFAULT 1,
        ADD COLUMN suspended_reason text,
        ADD COLUMN delete_after timestamptz,
        ADD COLUMN quotas jsonb NOT NULL DEFAULT '{}'`);
    for (const [name, check] of [
      ['tenants_status_check', `status IN ('creating', 'active', 'suspended', 'deleting', 'purging')`],
      ['tenants_delete_after', `(delete_after IS NULL) = (status NOT IN ('deleting', 'purging'))`],
    ]) {
      await db.query(`ALTER TABLE control.tenants ADD CONSTRAINT ${name} CHECK (${check}) NOT VALID`);
      await db.query(`ALTER TABLE control.tenants VALIDATE CONSTRAINT ${name}`);
    }
    await db.query(`CREATE INDEX ON control.tenants (cell) WHERE status <> 'active'`);
    await this.names(db);
    await db.query(`
      CREATE TABLE control.tombstones (
        id text PRIMARY KEY CHECK (id ~ '^t_[0-9a-f]{16}$'),
        purged_at timestamptz NOT NULL DEFAULT now()
      )`);
    await db.query(`
      CREATE TABLE control.notices (
        id uuid PRIMARY KEY,
        tenant text NOT NULL REFERENCES control.tenants (id) ON DELETE CASCADE,
        event bytea NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
      )`);
    await db.query(`CREATE INDEX ON control.notices (tenant, id)`);
    await db.query(`GRANT SELECT, INSERT ON control.tombstones TO waxell_control`);
    // FOR UPDATE, by which one process at a time delivers, needs UPDATE.
    await db.query(
      `GRANT SELECT, INSERT, UPDATE, DELETE ON control.slugs, control.notices TO waxell_control`,
    );
    // What one process of all does now and then.
    await db.query(`CREATE TABLE work.chores (chore text PRIMARY KEY, due_at timestamptz NOT NULL)`);
    await db.query(`GRANT SELECT, INSERT, UPDATE ON work.chores TO waxell_control`);
    // A log that has ended: its last head, kept as the proof of what there was. Only the owner ends one.
    await db.query(`
      CREATE TABLE audit.closed (
        tenant text PRIMARY KEY,
        seq bigint NOT NULL,
        chain_hash bytea NOT NULL,
        frontier bytea NOT NULL,
        closed_at timestamptz NOT NULL DEFAULT now()
      )`);
    await db.query(`GRANT SELECT ON audit.closed TO waxell_audit`);
  }

  private async names(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE control.slugs (
        slug text PRIMARY KEY CHECK (slug ~ '^[a-z][a-z0-9-]{1,38}[a-z0-9]$'),
        tenant text NOT NULL REFERENCES control.tenants (id) ON DELETE CASCADE,
        former_since timestamptz,
        until timestamptz,
        CHECK ((former_since IS NULL) = (until IS NULL))
      )`);
    await db.query(`INSERT INTO control.slugs (slug, tenant) SELECT slug, id FROM control.tenants`);
    await db.query(`CREATE UNIQUE INDEX ON control.slugs (tenant) WHERE until IS NULL`);
    await db.query(`CREATE INDEX ON control.slugs (tenant)`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
