import type pg from 'pg';
import { copyRows, withoutReferenceChecks } from './copy-rows.js';
import { inOneTransaction, type MoveSessions } from './move-sessions.js';
import type { TenantTable } from './tenant-tables.js';

/** Rows fall into this many buckets by the hash of their key; a bucket that differs is copied again as a whole. */
const BUCKETS = 4_096;

/**
 * What tables contain: by table and bucket, how many rows, and the exclusive or of their hashes. A row's hash is
 * PostgreSQL's own of its values, with two seeds: 128 bits that show a mistake, and cost a quarter of SHA-256 over the
 * row's text (measured), of which the pause would be the longer. A type that has no hash is refused by the database.
 */
type Contents = ReadonlyMap<string, ReadonlyMap<number, string>>;

interface Difference {
  readonly table: TenantTable;
  readonly buckets: readonly number[];
}

/** A source and a target that ought to be the same are not. */
export class CopyDiffers extends Error {
  override readonly name = 'CopyDiffers';
}

/**
 * Brings the target's tables to what the source's have, by copying what differs; answers the rows of each. Each side is
 * read once, by one statement, and what is copied again is read again; memory is bounded by the number of buckets.
 */
export async function reconcile(
  sessions: MoveSessions,
  tables: readonly TenantTable[],
): Promise<Record<string, number>> {
  const { wanted, differing } = await compare(sessions, tables);
  await copyDifferences(sessions, differing);
  return rowCounts(wanted);
}

/**
 * As `reconcile`, for a source that nobody writes to any more.
 * @throws {CopyDiffers} unless the two are the same in the end
 */
export async function reconcileExactly(
  sessions: MoveSessions,
  tables: readonly TenantTable[],
): Promise<Record<string, number>> {
  const { wanted, differing } = await compare(sessions, tables);
  if (differing.length > 0) {
    await copyDifferences(sessions, differing);
    const copied = await contentsOf(sessions.target, differing);
    for (const { table, buckets } of differing) {
      const [want, have] = [wanted.get(table.name), copied.get(table.name)];
      if (buckets.some((bucket) => want?.get(bucket) !== have?.get(bucket)))
        throw new CopyDiffers(`The copy of ${table.name} differs from its source.`);
    }
  }
  return rowCounts(wanted);
}

async function compare(
  { source, target }: MoveSessions,
  tables: readonly TenantTable[],
): Promise<{ wanted: Contents; differing: Difference[] }> {
  const all = tables.map((table) => ({ table }));
  const [wanted, found] = await Promise.all([contentsOf(source, all), contentsOf(target, all)]);
  const differing = tables.map((table) => {
    const [want, have] = [wanted.get(table.name), found.get(table.name)];
    const known = new Set([...(want?.keys() ?? []), ...(have?.keys() ?? [])]);
    return { table, buckets: [...known].filter((bucket) => want?.get(bucket) !== have?.get(bucket)) };
  });
  return { wanted, differing: differing.filter(({ buckets }) => buckets.length > 0) };
}

async function copyDifferences(sessions: MoveSessions, differing: readonly Difference[]): Promise<void> {
  if (differing.length === 0) return;
  await inOneTransaction(sessions.target, async () => {
    await withoutReferenceChecks(sessions);
    for (const { table, buckets } of differing) {
      const columns = table.columns.join(', ');
      const among = `${bucketOf(table)} = ANY('{${buckets.join(',')}}'::int[])`;
      await sessions.target.query(`DELETE FROM ${table.relation} WHERE ${among}`);
      const query = `SELECT ${columns} FROM ${table.relation} WHERE ${among}`;
      await copyRows(sessions, query, `${table.relation} (${columns})`);
    }
  });
}

/** Of whole tables, or of some of their buckets. */
async function contentsOf(
  client: pg.Client,
  parts: readonly { readonly table: TenantTable; readonly buckets?: readonly number[] }[],
): Promise<Contents> {
  const contents = new Map(parts.map(({ table }) => [table.name, new Map<number, string>()]));
  const { rows } = await client.query<{ part: number; bucket: number; content: string }>(
    parts.map((part, at) => contentQuery(part, at)).join(' UNION ALL '),
  );
  for (const { part, bucket, content } of rows) {
    const name = parts[part]?.table.name;
    if (name !== undefined) contents.get(name)?.set(bucket, content);
  }
  return contents;
}

function contentQuery(
  { table, buckets }: { readonly table: TenantTable; readonly buckets?: readonly number[] },
  at: number,
): string {
  const row = `ROW(${table.columns.join(', ')})`;
  const only = buckets ? `WHERE ${bucketOf(table)} = ANY('{${buckets.join(',')}}'::int[])` : '';
  return `SELECT ${at} AS part, bucket, count(*) || ':' || bit_xor(one) || ':' || bit_xor(two) AS content FROM (
      SELECT ${bucketOf(table)} AS bucket, hash_record_extended(${row}, 1) AS one, hash_record_extended(${row}, 2) AS two
      FROM ${table.relation} ${only}) hashed
    GROUP BY bucket`;
}

function bucketOf({ key }: TenantTable): string {
  return `(hash_record_extended(ROW(${key.join(', ')}), 0) & ${BUCKETS - 1})::int`;
}

function rowCounts(contents: Contents): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const [name, buckets] of contents) {
    let rows = 0;
    for (const content of buckets.values()) rows += Number(content.slice(0, content.indexOf(':')));
    counts[name] = rows;
  }
  return counts;
}
