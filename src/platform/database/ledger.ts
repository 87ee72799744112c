import pg from 'pg';
import { latestOf, type CompiledMigration } from './migration.js';

/** One migrator at a time prepares a database and changes what its tenants share. */
export const CELL_LOCK = 7_283_001;
/** One at a time creates, migrates or drops a tenant. With `hashtext(schema)` as the second key. */
export const TENANT_LOCKS = 7_283_005;

/** Under this name the ledger has what a database's tenants share. */
export const CELL = 'cell';

export class MigrationsDisagree extends Error {
  override readonly name = 'MigrationsDisagree';
}

/**
 * What the migrations of a database are noted in. `schemas` has a row per tenant and spare with its version, `ledger`
 * what was applied when, `spares` which schemas belong to nobody yet. Made in one transaction, so that there is all or
 * nothing of it.
 */
const BOOKKEEPING = `
  BEGIN;
  CREATE SCHEMA IF NOT EXISTS migrations;
  CREATE TABLE IF NOT EXISTS migrations.schemas (schema text PRIMARY KEY);
  CREATE TABLE IF NOT EXISTS migrations.ledger (
    schema text NOT NULL, version bigint NOT NULL, name text NOT NULL, checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (schema, version));
  ALTER TABLE migrations.schemas ADD COLUMN IF NOT EXISTS version bigint NOT NULL DEFAULT 0;
  UPDATE migrations.schemas s SET version = applied.version
    FROM (SELECT schema, max(version) AS version FROM migrations.ledger GROUP BY schema) applied
    WHERE applied.schema = s.schema AND s.version < applied.version;
  CREATE INDEX IF NOT EXISTS ledger_contents ON migrations.ledger (version, checksum) WHERE schema <> '${CELL}';
  CREATE TABLE IF NOT EXISTS migrations.spares (
    schema text PRIMARY KEY REFERENCES migrations.schemas ON DELETE CASCADE,
    built_at timestamptz NOT NULL DEFAULT now(),
    claimed_at timestamptz);
  CREATE INDEX IF NOT EXISTS spares_ready ON migrations.spares (built_at) WHERE claimed_at IS NULL;
  GRANT USAGE ON SCHEMA migrations TO waxell_control;
  GRANT SELECT ON migrations.schemas, migrations.spares TO waxell_control;
  GRANT UPDATE (claimed_at) ON migrations.spares TO waxell_control;
  COMMIT`;

/** Whether the database has this version's bookkeeping. */
export async function hasBookkeeping(client: pg.ClientBase): Promise<boolean> {
  const { rows } = await client.query<{ known: boolean }>(
    `SELECT to_regclass('migrations.spares') IS NOT NULL AS known`,
  );
  return rows[0]?.known === true;
}

export async function makeBookkeeping(client: pg.ClientBase): Promise<void> {
  if (!(await hasBookkeeping(client))) await client.query(BOOKKEEPING);
}

/** What of these migrations the database's tenants do not share yet. Throws where an applied one was edited. */
export async function pendingInCell(
  client: pg.ClientBase,
  migrations: readonly CompiledMigration[],
): Promise<CompiledMigration[]> {
  const { rows } = await client.query<{ version: string; checksum: string }>(
    `SELECT version, checksum FROM migrations.ledger WHERE schema = '${CELL}'`,
  );
  const applied = new Map(rows.map((row) => [Number(row.version), row.checksum]));
  refuseEdited(migrations, applied);
  return migrations.filter(({ version }) => !applied.has(version));
}

/**
 * Throws where the migrations of tenants are not those that were applied, or come before one that was. What was applied
 * is read by skipping through an index: the cost is that of the migrations, not of the tenants.
 */
export async function refuseUnlikeTenants(
  client: pg.ClientBase,
  migrations: readonly CompiledMigration[],
): Promise<void> {
  const next = (after: string): string =>
    `SELECT version, checksum FROM migrations.ledger WHERE schema <> '${CELL}' ${after}
     ORDER BY version, checksum LIMIT 1`;
  const { rows } = await client.query<{ version: string; checksum: string }>(
    `WITH RECURSIVE applied AS (
       (${next('')})
       UNION ALL
       SELECT following.* FROM applied
       CROSS JOIN LATERAL (${next('AND (version, checksum) > (applied.version, applied.checksum)')}) following)
     SELECT version, checksum FROM applied`,
  );
  for (const row of rows) refuseEdited(migrations, new Map([[Number(row.version), row.checksum]]));
  const versions = new Set(rows.map((row) => Number(row.version)));
  const newest = Math.max(0, ...versions);
  const late = migrations.find(({ version }) => version < newest && !versions.has(version));
  if (late) {
    throw new MigrationsDisagree(
      `Migration ${late.name} is older than one that was applied to tenants; give it a newer timestamp.`,
    );
  }
}

function refuseEdited(migrations: readonly CompiledMigration[], applied: ReadonlyMap<number, string>): void {
  for (const { version, name, checksum } of migrations) {
    const known = applied.get(version);
    if (known === undefined || known === checksum) continue;
    throw new MigrationsDisagree(
      `Migration ${name} was changed after it had been applied; add a new one instead.`,
    );
  }
}

/** Schemas at one version: tenants', and spares that nobody has yet. */
export interface Standing {
  readonly version: number;
  readonly tenants: number;
  readonly spares: number;
}

/** How many schemas are behind, by the version that they have. One query, whatever there are of either. */
export async function behind(
  client: pg.ClientBase,
  migrations: readonly CompiledMigration[],
): Promise<Standing[]> {
  const { rows } = await client.query<{ version: string; tenants: number; spares: number }>(
    `SELECT version, count(*) FILTER (WHERE p.schema IS NULL)::int AS tenants, count(p.schema)::int AS spares
     FROM migrations.schemas s LEFT JOIN migrations.spares p USING (schema)
     WHERE version < $1 GROUP BY version ORDER BY version`,
    [latestOf(migrations)],
  );
  return rows.map(({ version, tenants, spares }) => ({ version: Number(version), tenants, spares }));
}

/** The statements that note migrations as applied to schemas, which then have the version of the last. */
export function noteApplied(
  applied: readonly { readonly schema: string; readonly migrations: readonly CompiledMigration[] }[],
): string[] {
  const text = (value: string): string => pg.escapeLiteral(value);
  const rows = applied.flatMap(({ schema, migrations }) =>
    migrations.map(
      ({ version, name, checksum }) => `(${text(schema)}, ${version}, ${text(name)}, ${text(checksum)})`,
    ),
  );
  const versions = applied.map(({ schema, migrations }) => `(${text(schema)}, ${latestOf(migrations)})`);
  return [
    `INSERT INTO migrations.ledger (schema, version, name, checksum) VALUES ${rows.join(', ')}`,
    `UPDATE migrations.schemas s SET version = done.version
     FROM (VALUES ${versions.join(', ')}) AS done (schema, version) WHERE s.schema = done.schema`,
  ];
}
