import { pipeline } from 'node:stream/promises';
import { from, to } from 'pg-copy-streams';
import { inOneTransaction, type MoveSessions } from './move-sessions.js';
import type { TenantTable } from './tenant-tables.js';

/**
 * Streams what a query finds at the source into a table of the target, in PostgreSQL's binary form: nothing is read into
 * memory, nothing is translated. Answers the number of rows.
 */
export async function copyRows(
  { source, target }: MoveSessions,
  query: string,
  into: string,
): Promise<number> {
  const sink = target.query(from(`COPY ${into} FROM STDIN (FORMAT binary)`));
  await pipeline(source.query(to(`COPY (${query}) TO STDOUT (FORMAT binary)`)), sink);
  return sink.rowCount;
}

/** Copies a whole table anew. Whole or not at all: a copy that was interrupted has left nothing. */
export async function copyTable(sessions: MoveSessions, table: TenantTable): Promise<number> {
  return inOneTransaction(sessions.target, async () => {
    await withoutReferenceChecks(sessions);
    await sessions.target.query(`DELETE FROM ${table.relation}`);
    const columns = table.columns.join(', ');
    return copyRows(sessions, `SELECT ${columns} FROM ${table.relation}`, `${table.relation} (${columns})`);
  });
}

/**
 * For the rest of the transaction. Tables are copied one by one while they change, so that a row may come before the
 * one it refers to; in the end all of them are compared with the source, whose references hold.
 */
export async function withoutReferenceChecks({ target }: MoveSessions): Promise<void> {
  await target.query('SET LOCAL session_replication_role = replica');
}
