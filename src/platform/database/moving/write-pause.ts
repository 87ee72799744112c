import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { TenantId } from '../tenant-id.js';
import { inOneTransaction } from './move-sessions.js';

const { escapeIdentifier } = pg;

/** As in the trigger `control.refuse_paused` (src/migrations/cell-4-moves.ts). */
const WRITER_LOCKS = 7_283_006;
const LOOK_MS = 5;

/** A transaction that was writing when the pause began has not ended in time. */
export class WriterDidNotEnd extends Error {
  override readonly name = 'WriterDidNotEnd';
}

/**
 * Takes the tenant's right to write from its role, here: it may not change a table any more, nor put an event or an order
 * to run into those that all tenants share. Reading goes on. Nobody waits: a statement is either in a transaction that
 * was writing already (see `writersEnded`), or refused.
 */
export async function pauseWrites(client: pg.Client, tenant: TenantId): Promise<void> {
  await inOneTransaction(client, async () => {
    const { rows } = await client.query<{ grant: string }>(GRANTS, [tenant]);
    const noted = await client.query(
      'INSERT INTO control.write_pauses (tenant, grants) VALUES ($1, $2) ON CONFLICT DO NOTHING',
      [tenant, rows.map((row) => row.grant)],
    );
    if (noted.rowCount === 0) throw new Error('The writes of this tenant are paused already.');
    const role = escapeIdentifier(tenant);
    const tables = (await tableNames(client, tenant)).map((table) => `${role}.${table}`);
    await client.query(`REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON ${tables.join(', ')} FROM ${role}`);
    await requireNoGrant(client, tenant);
  });
}

/**
 * Waits for the transactions that had begun to write before the pause; whatever begins after it is refused.
 * @throws {WriterDidNotEnd} when one is still at work after `limitMs`
 */
export async function writersEnded(client: pg.Client, tenant: TenantId, limitMs: number): Promise<void> {
  const until = Date.now() + limitMs;
  let waitedFor = await writers(client, tenant);
  while (waitedFor.size > 0) {
    if (Date.now() > until)
      throw new WriterDidNotEnd(`A transaction of this organisation did not end within ${limitMs} ms.`);
    await sleep(LOOK_MS);
    const atWork = await writers(client, tenant);
    waitedFor = new Set([...waitedFor].filter((writer) => atWork.has(writer)));
  }
}

/** Gives the tenant its right to write back, and to read where that was taken. False where it was not paused. */
export async function resumeWrites(client: pg.Client, tenant: TenantId): Promise<boolean> {
  const { rows } = await client.query<{ grants: string[] }>(
    'SELECT grants FROM control.write_pauses WHERE tenant = $1 FOR UPDATE',
    [tenant],
  );
  const [pause] = rows;
  if (!pause) return false;
  await client.query(pause.grants.join(';'));
  const role = escapeIdentifier(tenant);
  await client.query(`GRANT USAGE ON SCHEMA ${role} TO ${role}`);
  await client.query('DELETE FROM control.write_pauses WHERE tenant = $1', [tenant]);
  return true;
}

/** Takes reading from the tenant's role too. For a tenant whose writes are paused, before it lives elsewhere. */
export async function stopReads(client: pg.Client, tenant: TenantId): Promise<void> {
  const role = escapeIdentifier(tenant);
  await client.query(`REVOKE USAGE ON SCHEMA ${role} FROM ${role}`);
}

/** For a tenant that has left: its role's grants have gone with its schema. */
export async function forgetPause(client: pg.Client, tenant: TenantId): Promise<void> {
  await client.query('DELETE FROM control.write_pauses WHERE tenant = $1', [tenant]);
}

/** The statements that give the role back what it may do to its tables, column by column where it was so. */
const GRANTS = `
  SELECT format('GRANT %s ON %I.%I TO %I', a.privilege_type, n.nspname, c.relname, n.nspname) AS grant
  FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid, aclexplode(c.relacl) a
  WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND a.grantee = n.nspname::regrole
    AND a.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
  UNION ALL
  SELECT format('GRANT %s (%I) ON %I.%I TO %I', a.privilege_type, t.attname, n.nspname, c.relname, n.nspname)
  FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid JOIN pg_attribute t ON t.attrelid = c.oid,
    aclexplode(t.attacl) a
  WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND a.grantee = n.nspname::regrole
    AND a.privilege_type IN ('INSERT', 'UPDATE')`;

async function tableNames(client: pg.Client, tenant: TenantId): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class WHERE relnamespace = to_regnamespace($1) AND relkind IN ('r', 'p') ORDER BY 1`,
    [tenant],
  );
  return rows.map(({ name }) => escapeIdentifier(name));
}

/** What the role may have by way of another, this cannot take away, and then it is no pause. */
async function requireNoGrant(client: pg.Client, tenant: TenantId): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class
     WHERE relnamespace = to_regnamespace($1) AND relkind IN ('r', 'p')
       AND (has_any_column_privilege($1, oid, 'INSERT, UPDATE') OR has_table_privilege($1, oid, 'DELETE, TRUNCATE'))`,
    [tenant],
  );
  const [left] = rows;
  if (left) throw new Error(`The tenant's role can still write to ${left.name}.`);
}

/** Transactions that hold what only a writer of this tenant holds, by backend and transaction. */
async function writers(client: pg.Client, tenant: TenantId): Promise<Set<string>> {
  const { rows } = await client.query<{ writer: string }>(
    `SELECT DISTINCT l.pid || '/' || l.virtualtransaction AS writer
     FROM pg_locks l JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
     WHERE l.pid <> pg_backend_pid() AND l.granted AND (
       l.locktype = 'relation' AND l.mode = 'RowExclusiveLock'
         AND l.relation IN (SELECT oid FROM pg_class WHERE relnamespace = to_regnamespace($1))
       OR l.locktype = 'advisory' AND l.classid = $2 AND l.objid::bigint = hashtext($1)::bigint & 4294967295)`,
    [tenant, WRITER_LOCKS],
  );
  return new Set(rows.map(({ writer }) => writer));
}
