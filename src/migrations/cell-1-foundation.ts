import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What all tenants of a database share. The hardening comes first: a tenant's role can read its own schema and nothing
 * else, cannot switch roles, create objects or run procedural code.
 */
export class CellFoundation20261121000000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      DO $$ BEGIN
        EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO waxell_app, waxell_control, waxell_audit, waxell_queue', current_database());
        EXECUTE format('ALTER ROLE waxell_app IN DATABASE %I SET search_path = "$user"', current_database());
      END $$`);
    await db.query(`REVOKE ALL ON SCHEMA public FROM PUBLIC`);
    // Whoever may call set_config may set the role: only the login that switches roles, never the role switched to.
    await db.query(`REVOKE EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) FROM PUBLIC`);
    await db.query(
      `GRANT EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) TO waxell_app, waxell_queue`,
    );
    // Advisory locks are the whole database's: a tenant that held the sequencer's would stop everybody's log.
    await db.query(`
      DO $$ DECLARE lock regprocedure; BEGIN
        FOR lock IN SELECT oid FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND proname LIKE 'pg\\_%advisory\\_%' LOOP
          EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', lock);
          EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO waxell_control, waxell_audit, waxell_queue', lock);
        END LOOP;
      END $$`);
    await db.query(`REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC`);
    await db.query(`GRANT USAGE ON LANGUAGE plpgsql TO waxell_queue`);
    await this.control(db);
    await this.audit(db);
    await this.work(db);
    await db.query(`CREATE SCHEMA queue AUTHORIZATION waxell_queue`);
    // PostgreSQL only warns where a REVOKE had no effect, as for an owner that is no superuser. Then nothing is kept apart.
    await db.query(`
      DO $$ BEGIN
        IF has_function_privilege('waxell_tenant', 'pg_catalog.set_config(text, text, boolean)', 'EXECUTE')
          OR has_function_privilege('waxell_tenant', 'pg_catalog.pg_advisory_lock(bigint)', 'EXECUTE')
          OR has_language_privilege('waxell_tenant', 'plpgsql', 'USAGE') THEN
          RAISE EXCEPTION 'DATABASE_URL must be a superuser: what tenants may do could not be restricted';
        END IF;
      END $$`);
  }

  /** The registry. Read in the home database only; the others keep it empty. */
  private async control(db: QueryRunner): Promise<void> {
    await db.query(`CREATE SCHEMA control`);
    await db.query(`GRANT USAGE ON SCHEMA control TO waxell_control`);
    await db.query(`
      CREATE TABLE control.tenants (
        id text PRIMARY KEY CHECK (id ~ '^t_[0-9a-f]{16}$'),
        slug text NOT NULL UNIQUE CHECK (slug ~ '^[a-z][a-z0-9-]{1,38}[a-z0-9]$'),
        name text NOT NULL,
        region text NOT NULL,
        status text NOT NULL CHECK (status IN ('creating', 'active', 'suspended')),
        created_at timestamptz NOT NULL DEFAULT now()
      )`);
    await db.query(`CREATE INDEX ON control.tenants (created_at, id)`);
    await db.query(`
      CREATE TABLE control.signing_keys (
        kid text PRIMARY KEY,
        public_jwk jsonb NOT NULL,
        private_key bytea NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
      )`);
    await db.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON control.tenants TO waxell_control`);
    await db.query(`GRANT SELECT, INSERT ON control.signing_keys TO waxell_control`);
    await db.query(`GRANT USAGE ON SCHEMA migrations TO waxell_control`);
    await db.query(`GRANT SELECT ON migrations.ledger, migrations.schemas TO waxell_control`);
  }

  /** A tenant's role may add an event to the outbox, stamped with its own name, and can see or change nothing here. */
  private async audit(db: QueryRunner): Promise<void> {
    await db.query(`CREATE SCHEMA audit`);
    await db.query(`GRANT USAGE ON SCHEMA audit TO waxell_audit, waxell_tenant`);
    await db.query(`
      CREATE TABLE audit.outbox (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        tenant text NOT NULL DEFAULT current_user,
        event bytea NOT NULL CHECK (octet_length(event) <= 262144)
      )`);
    await db.query(`
      CREATE TABLE audit.events (
        tenant text NOT NULL,
        seq bigint NOT NULL,
        id uuid NOT NULL,
        at timestamptz NOT NULL,
        action text NOT NULL,
        actor text NOT NULL,
        outcome text NOT NULL,
        event bytea NOT NULL,
        leaf_hash bytea NOT NULL,
        chain_hash bytea NOT NULL,
        PRIMARY KEY (tenant, seq)
      )`);
    await db.query(`CREATE INDEX ON audit.events (tenant, action, seq)`);
    await db.query(`CREATE INDEX ON audit.events (tenant, actor, seq)`);
    await db.query(`
      CREATE TABLE audit.heads (
        tenant text PRIMARY KEY,
        seq bigint NOT NULL,
        chain_hash bytea NOT NULL,
        frontier bytea NOT NULL
      )`);
    await db.query(`GRANT INSERT (event) ON audit.outbox TO waxell_tenant`);
    await db.query(`GRANT SELECT, DELETE ON audit.outbox TO waxell_audit`);
    await db.query(`GRANT SELECT, INSERT ON audit.events TO waxell_audit`);
    await db.query(`GRANT SELECT, INSERT, UPDATE ON audit.heads TO waxell_audit`);
  }

  /** Which runs are to be worked on, of all tenants: ids and leases only. What a run is stays in its tenant's schema. */
  private async work(db: QueryRunner): Promise<void> {
    await db.query(`CREATE SCHEMA work`);
    await db.query(`GRANT USAGE ON SCHEMA work TO waxell_control, waxell_tenant`);
    await db.query(`
      CREATE TABLE work.runs (
        tenant text NOT NULL DEFAULT current_user,
        run_id uuid NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        enqueued_at timestamptz,
        lease_id uuid,
        lease_until timestamptz,
        PRIMARY KEY (tenant, run_id)
      )`);
    await db.query(`CREATE INDEX ON work.runs (COALESCE(lease_until, enqueued_at, created_at))`);
    await db.query(`GRANT INSERT (run_id) ON work.runs TO waxell_tenant`);
    await db.query(`GRANT SELECT, UPDATE, DELETE ON work.runs TO waxell_control`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
