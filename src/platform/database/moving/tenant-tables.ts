import pg from 'pg';
import type { TenantId } from '../tenant-id.js';

const { escapeIdentifier } = pg;

/** A table, as it is copied. Names are escaped. */
export interface StoredTable {
  readonly name: string;
  /** With its schema. */
  readonly relation: string;
  /** Of the columns that are stored, in their order. */
  readonly columns: readonly string[];
}

/** A table of a tenant's schema, as it is compared, too. */
export interface TenantTable extends StoredTable {
  readonly key: readonly string[];
}

/** All tables of a tenant's schema, in the order of their names. @throws where one has no primary key to compare it by */
export async function tablesOf(client: pg.Client, tenant: TenantId): Promise<TenantTable[]> {
  return (await withKeys(client, tenant)).map(({ key, ...table }) => {
    if (!key) throw new Error(`Table ${table.name} has no primary key, so its copy could not be compared.`);
    return { ...table, key };
  });
}

/** All tables of any schema; what is partitioned is one. */
export async function storedTables(client: pg.Client, schema: string): Promise<StoredTable[]> {
  return (await withKeys(client, schema)).map(({ key: _key, ...table }) => table);
}

async function withKeys(
  client: pg.Client,
  schema: string,
): Promise<(StoredTable & { readonly key: readonly string[] | null })[]> {
  const { rows } = await client.query<{ name: string; columns: string[]; key: string[] | null }>(
    `SELECT c.relname AS name,
       array(SELECT a.attname::text FROM pg_attribute a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attname) AS columns,
       (SELECT array_agg(a.attname::text ORDER BY array_position(i.indkey::int2[], a.attnum))
         FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)
         WHERE i.indrelid = c.oid AND i.indisprimary) AS key
     FROM pg_class c WHERE c.relnamespace = to_regnamespace($1) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
     ORDER BY c.relname`,
    [schema],
  );
  const escaped = (names: readonly string[]): string[] => names.map((name) => escapeIdentifier(name));
  return rows.map(({ name, columns, key }) => ({
    name,
    relation: `${escapeIdentifier(schema)}.${escapeIdentifier(name)}`,
    columns: escaped(columns),
    key: key && escaped(key),
  }));
}

/** @throws unless both schemas have had the same migrations */
export async function requireSameMigrations(
  { source, target }: { source: pg.Client; target: pg.Client },
  tenant: TenantId,
): Promise<void> {
  const applied = async (client: pg.Client): Promise<string> => {
    const { rows } = await client.query(
      'SELECT version, checksum FROM migrations.ledger WHERE schema = $1 ORDER BY version',
      [tenant],
    );
    return JSON.stringify(rows);
  };
  if ((await applied(source)) !== (await applied(target)))
    throw new Error('The two cells are not at the same migrations. Run npm run db:migrate.');
}

/** Lets the target's sequences go on where the source's are. */
export async function copySequences(
  { source, target }: { source: pg.Client; target: pg.Client },
  tenant: TenantId,
): Promise<void> {
  const { rows } = await source.query<{ name: string; last: string }>(
    `SELECT sequencename AS name, last_value::text AS last FROM pg_sequences WHERE schemaname = $1 AND last_value IS NOT NULL`,
    [tenant],
  );
  for (const { name, last } of rows) {
    const sequence = `${escapeIdentifier(tenant)}.${escapeIdentifier(name)}`;
    await target.query('SELECT setval($1::regclass, $2::bigint)', [sequence, last]);
  }
}
