import type pg from 'pg';
import { copyRows, withoutReferenceChecks } from './copy-rows.js';
import { inOneTransaction, type MoveSessions } from './move-sessions.js';
import type { TenantTable } from './tenant-tables.js';

/** Rows fall into this many buckets by the hash of their key; a bucket that differs is copied again as a whole. */
const BUCKETS = 4_096;

/** What a table contains, per bucket: how many rows, and the exclusive or of their hashes (128 bits of SHA-256 each). */
type Digest = ReadonlyMap<number, string>;

export interface Compared {
  readonly rows: number;
  /** Buckets that had to be copied again. */
  readonly copied: number;
}

/** A source and a target that ought to be the same are not. */
export class CopyDiffers extends Error {
  override readonly name = 'CopyDiffers';
}

/**
 * Brings the target's table to what the source's has, by copying what differs. The source has to be read once and the
 * target once, whatever changed; memory is bounded by the number of buckets.
 */
export async function reconcile(sessions: MoveSessions, table: TenantTable): Promise<Compared> {
  const [wanted, found] = await Promise.all([digest(sessions.source, table), digest(sessions.target, table)]);
  const differing = differences(wanted, found);
  if (differing.length > 0) await copyBuckets(sessions, table, differing);
  return { rows: rowsIn(wanted), copied: differing.length };
}

/**
 * As `reconcile`, for a source that nobody writes to any more.
 * @throws {CopyDiffers} unless the two are the same in the end
 */
export async function reconcileExactly(sessions: MoveSessions, table: TenantTable): Promise<Compared> {
  const [wanted, found] = await Promise.all([digest(sessions.source, table), digest(sessions.target, table)]);
  const differing = differences(wanted, found);
  if (differing.length > 0) {
    await copyBuckets(sessions, table, differing);
    const copied = await digest(sessions.target, table, differing);
    const still = differing.filter((bucket) => wanted.get(bucket) !== copied.get(bucket));
    if (still.length > 0) throw new CopyDiffers(`The copy of ${table.name} differs from its source.`);
  }
  return { rows: rowsIn(wanted), copied: differing.length };
}

async function copyBuckets(
  sessions: MoveSessions,
  table: TenantTable,
  buckets: readonly number[],
): Promise<void> {
  const columns = table.columns.join(', ');
  const among = `${bucketOf(table)} = ANY('{${buckets.join(',')}}'::int[])`;
  await inOneTransaction(sessions.target, async () => {
    await withoutReferenceChecks(sessions);
    await sessions.target.query(`DELETE FROM ${table.relation} WHERE ${among}`);
    await copyRows(
      sessions,
      `SELECT ${columns} FROM ${table.relation} WHERE ${among}`,
      `${table.relation} (${columns})`,
    );
  });
}

async function digest(
  client: pg.Client,
  table: TenantTable,
  buckets?: readonly number[],
): Promise<Map<number, string>> {
  const only = buckets ? `WHERE ${bucketOf(table)} = ANY($1::int[])` : '';
  const { rows } = await client.query<{ bucket: number; content: string }>(
    `SELECT bucket, count(*)::text || ':' || bit_xor(hash)::text AS content FROM (
       SELECT ${bucketOf(table)} AS bucket,
         ('x' || left(encode(sha256(convert_to(ROW(${table.columns.join(', ')})::text, 'UTF8')), 'hex'), 32))::bit(128) AS hash
       FROM ${table.relation} ${only}) hashed
     GROUP BY bucket`,
    buckets ? [buckets] : [],
  );
  return new Map(rows.map(({ bucket, content }) => [bucket, content]));
}

function bucketOf({ key }: TenantTable): string {
  const hash = `sha256(convert_to(ROW(${key.join(', ')})::text, 'UTF8'))`;
  return `(get_byte(${hash}, 0) << 8 | get_byte(${hash}, 1)) % ${BUCKETS}`;
}

function differences(wanted: Digest, found: Digest): number[] {
  const buckets = new Set([...wanted.keys(), ...found.keys()]);
  return [...buckets].filter((bucket) => wanted.get(bucket) !== found.get(bucket));
}

function rowsIn(content: Digest): number {
  let rows = 0;
  for (const entry of content.values()) rows += Number(entry.slice(0, entry.indexOf(':')));
  return rows;
}
