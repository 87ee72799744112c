import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Roles of an organisation's own, roles granted on parts of it, labels that policies look at, and policies in versions. */
export class TenantAccess20261129050000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await this.members(db);
    await this.labels(db);
    await this.roles(db);
    await this.policies(db);
  }

  /** People who may do nothing but what they are granted. */
  private async members(db: QueryRunner): Promise<void> {
    await db.query(`ALTER TABLE users DROP CONSTRAINT users_role_check`);
    await db.query(
      `ALTER TABLE users ADD CONSTRAINT users_role_check CHECK (role IN ('Owner', 'Admin', 'Developer', 'Viewer', 'Member')) NOT VALID`,
    );
    await db.query(`ALTER TABLE users VALIDATE CONSTRAINT users_role_check`);
  }

  private async labels(db: QueryRunner): Promise<void> {
    for (const table of ['projects', 'agents'])
      await db.query(
        `ALTER TABLE ${table} ADD COLUMN environment text, ADD COLUMN tags text[] NOT NULL DEFAULT '{}'`,
      );
  }

  private async roles(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE roles (
        id uuid PRIMARY KEY,
        name text NOT NULL UNIQUE,
        description text NOT NULL,
        permissions text[] NOT NULL,
        version integer NOT NULL DEFAULT 1,
        created_by text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
      )`);
    await db.query(`
      CREATE TABLE role_grants (
        id uuid PRIMARY KEY,
        user_id uuid REFERENCES users (id),
        group_id uuid REFERENCES groups (id) ON DELETE CASCADE,
        service_account_id uuid REFERENCES oauth_clients (id) ON DELETE CASCADE,
        role text CHECK (role IN ('Admin', 'Developer', 'Viewer')),
        role_id uuid REFERENCES roles (id),
        resource_type text NOT NULL CHECK (resource_type IN ('organisation', 'project', 'agent')),
        resource_id text NOT NULL,
        created_by text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT role_grants_one_principal CHECK (num_nonnulls(user_id, group_id, service_account_id) = 1),
        CONSTRAINT role_grants_one_role CHECK (num_nonnulls(role, role_id) = 1),
        CONSTRAINT role_grants_once UNIQUE NULLS NOT DISTINCT (user_id, group_id, service_account_id, role, role_id, resource_type, resource_id)
      )`);
    await db.query(`CREATE INDEX ON role_grants (group_id) WHERE group_id IS NOT NULL`);
    await db.query(`CREATE INDEX ON role_grants (service_account_id) WHERE service_account_id IS NOT NULL`);
    await db.query(`CREATE INDEX ON role_grants (role_id)`);
    await db.query(`CREATE INDEX ON role_grants (resource_type, resource_id, id)`);
    await db.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON roles TO {tenant}`);
    await db.query(`GRANT SELECT, INSERT, DELETE ON role_grants TO {tenant}`);
  }

  private async policies(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE access_policies (
        version integer PRIMARY KEY CHECK (version > 0),
        text text NOT NULL,
        note text NOT NULL,
        created_by text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
      )`);
    // What was in force once is never another text afterwards.
    await db.query(`GRANT SELECT, INSERT ON access_policies TO {tenant}`);
    // The last is in force; without a version, none. What was in force and when stays.
    await db.query(`
      CREATE TABLE access_policy_activations (
        number integer PRIMARY KEY CHECK (number > 0),
        version integer REFERENCES access_policies (version),
        set_by text NOT NULL,
        at timestamptz NOT NULL DEFAULT now()
      )`);
    await db.query(`GRANT SELECT, INSERT ON access_policy_activations TO {tenant}`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
