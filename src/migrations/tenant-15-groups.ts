import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Groups of people, and groups in groups. How many people one has stands in its row, whose lock all who change it take. */
export class TenantGroups20261129010000 implements MigrationInterface {
  async up(db: QueryRunner): Promise<void> {
    await db.query(`
      CREATE TABLE groups (
        id uuid PRIMARY KEY,
        display_name text NOT NULL,
        external_id text,
        directory uuid,
        people integer NOT NULL DEFAULT 0 CHECK (people >= 0),
        version integer NOT NULL DEFAULT 1,
        created_by text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
      )`);
    // A name is one group's of a directory, whatever its case; of those made by hand too, which have none.
    await db.query(
      `CREATE UNIQUE INDEX groups_name ON groups (directory, lower(display_name)) NULLS NOT DISTINCT`,
    );
    await db.query(
      `CREATE UNIQUE INDEX groups_external_id ON groups (directory, external_id) NULLS NOT DISTINCT WHERE external_id IS NOT NULL`,
    );
    await db.query(`
      CREATE TABLE group_members (
        group_id uuid NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
        user_id uuid NOT NULL REFERENCES users (id),
        added_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (group_id, user_id)
      )`);
    await db.query(`CREATE INDEX ON group_members (user_id)`);
    await db.query(`
      CREATE TABLE group_subgroups (
        group_id uuid NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
        member_id uuid NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
        added_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (group_id, member_id),
        CHECK (group_id <> member_id)
      )`);
    await db.query(`CREATE INDEX ON group_subgroups (member_id)`);
    // One row at most: whoever changes which group is in which holds it.
    await db.query(`CREATE TABLE group_nesting (held boolean PRIMARY KEY CHECK (held))`);
    await db.query(`GRANT SELECT, INSERT, UPDATE, DELETE ON groups TO {tenant}`);
    await db.query(`GRANT SELECT, INSERT, UPDATE ON group_nesting TO {tenant}`);
    await db.query(`GRANT SELECT, INSERT, DELETE ON group_members, group_subgroups TO {tenant}`);
  }

  down(): Promise<void> {
    throw new Error('Migrations go forward only.');
  }
}
