import pg from 'pg';
import { to } from 'pg-copy-streams';
import type { Cell } from '../cells.js';
import { CELL, CELL_LOCK } from '../ledger.js';
import { storedTables, type StoredTable } from '../moving/tenant-tables.js';
import {
  isPassing,
  PERIODS,
  SHARED_SCHEMAS,
  type AppliedMigration,
  type BackupPart,
  type CellPart,
  type TenantPart,
} from './backup-part.js';
import { openBackupSession } from './backup-session.js';

const { escapeIdentifier } = pg;

/** What is backed up was changed meanwhile in a way that no snapshot shows. */
export class ChangedMeanwhile extends Error {
  override readonly name = 'ChangedMeanwhile';
}

/**
 * All of a cell's database as it was at one moment. One connection holds the snapshot; the tables are read by another, a
 * transaction for each schema, because a transaction keeps a lock on every table that it has read, and of thousands of
 * tenants the server has no room for so many. Memory does not depend on the size of anything.
 *
 * @throws {ChangedMeanwhile} where the database is being migrated, or a tenant was migrated or purged meanwhile
 */
export async function* readCell(cell: Cell): AsyncGenerator<BackupPart> {
  const holder = await openBackupSession(cell);
  const reader = await openBackupSession(cell).catch(async (error: unknown) => {
    await holder.end();
    throw error;
  });
  try {
    await refuseMigrations(holder);
    await holder.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const exported = await holder.query<{ snapshot: string }>('SELECT pg_export_snapshot() AS snapshot');
    const snapshot = exported.rows[0]?.snapshot ?? '';
    yield await cellPart(holder, cell.region);
    for (const schema of SHARED_SCHEMAS) yield* readSchema(reader, snapshot, schema);
    const tenants = await tenantsOf(holder);
    for (const tenant of tenants) {
      yield tenant;
      yield* readSchema(reader, snapshot, tenant.schema);
    }
    await requireUnchanged(reader, tenants);
  } finally {
    await Promise.all([holder.end(), reader.end()].map((ended) => ended.catch(() => undefined)));
  }
}

/** For as long as the connection is open nobody migrates what tenants share. */
async function refuseMigrations(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ free: boolean }>('SELECT pg_try_advisory_lock_shared($1) AS free', [
    CELL_LOCK,
  ]);
  if (rows[0]?.free !== true)
    throw new ChangedMeanwhile('The database is being migrated. Make the backup when that is done.');
}

async function cellPart(client: pg.Client, region: string): Promise<CellPart> {
  const { rows } = await client.query<{ shared: boolean; version: string; checksum: string }>(
    'SELECT DISTINCT schema = $1 AS shared, version, checksum FROM migrations.ledger ORDER BY version, checksum',
    [CELL],
  );
  const applied = (ofCell: boolean): AppliedMigration[] =>
    rows
      .filter(({ shared }) => shared === ofCell)
      .map(({ version, checksum }) => ({ version: Number(version), checksum }));
  return { kind: 'cell', region, cell: applied(true), tenant: applied(false) };
}

/** Those that are somebody's; spares are built anew. */
async function tenantsOf(client: pg.Client): Promise<TenantPart[]> {
  const { rows } = await client.query<{ schema: string; version: string }>(
    `SELECT schema, version FROM migrations.schemas WHERE schema NOT IN (SELECT schema FROM migrations.spares)
     ORDER BY schema`,
  );
  return rows.map(({ schema, version }) => ({ kind: 'tenant', schema, version: Number(version) }));
}

async function* readSchema(client: pg.Client, snapshot: string, schema: string): AsyncGenerator<BackupPart> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  await client.query(`SET TRANSACTION SNAPSHOT ${pg.escapeLiteral(snapshot)}`);
  for (const table of periodsFirst(await storedTables(client, schema), schema)) {
    yield { kind: 'table', schema, name: table.name, columns: table.columns };
    const none = isPassing(schema, table.name) ? 'WHERE false' : '';
    const text = `COPY (SELECT ${table.columns.join(', ')} FROM ${table.relation} ${none}) TO STDOUT (FORMAT binary)`;
    const rows = client.query(to(text));
    for await (const bytes of rows as AsyncIterable<Buffer>) yield { kind: 'rows', bytes };
    yield { kind: 'end', rows: rows.rowCount };
  }
  // What a sequence gives is of no snapshot, and further than the rows are: nothing is given twice.
  const sequences = await client.query<{ name: string; last: string }>(
    `SELECT sequencename AS name, last_value::text AS last FROM pg_sequences
     WHERE schemaname = $1 AND last_value IS NOT NULL ORDER BY 1`,
    [schema],
  );
  for (const { name, last } of sequences.rows) yield { kind: 'sequence', schema, name, last };
  await client.query('COMMIT');
}

function periodsFirst(tables: readonly StoredTable[], schema: string): StoredTable[] {
  const first = ({ name }: StoredTable): boolean => schema === PERIODS.schema && name === PERIODS.name;
  return [...tables.filter(first), ...tables.filter((table) => !first(table))];
}

/** A schema that was dropped or rewritten looks empty through an older snapshot. */
async function requireUnchanged(client: pg.Client, tenants: readonly TenantPart[]): Promise<void> {
  const { rows } = await client.query<{ schema: string }>(
    `SELECT t.schema FROM unnest($1::text[], $2::bigint[]) AS t (schema, version)
     LEFT JOIN migrations.schemas s USING (schema, version) WHERE s.schema IS NULL LIMIT 1`,
    [tenants.map(({ schema }) => schema), tenants.map(({ version }) => version)],
  );
  if (rows[0])
    throw new ChangedMeanwhile(
      `${escapeIdentifier(rows[0].schema)} was migrated or purged meanwhile. Make the backup again.`,
    );
}
