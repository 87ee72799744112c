import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TenantRef } from '../../src/platform/database/index.js';
import { startFakeKms, type FakeKms } from '../fakes/kms.js';
import { eventually } from '../support/eventually.js';
import { clientOf, startKeyProcess, type KeyProcess } from '../support/key-process.js';
import { newKeyTenant } from '../support/key-tenants.js';
import { openTestDatabase, type TestDatabase } from '../support/test-database.js';

const WAIT_MS = 10_000;
const NEVER = new AbortController().signal;

let db: TestDatabase;
let fake: FakeKms;
let process: KeyProcess;

beforeAll(async () => {
  db = await openTestDatabase();
  fake = await startFakeKms();
  process = await startKeyProcess(db.url, clientOf(fake), { working: false });
});
afterAll(async () => {
  await process.close();
  await fake.close();
  await db.close();
});

async function statesOf({ id }: TenantRef): Promise<string[]> {
  const { rows } = await db.superuser.query<{ state: string }>(
    `SELECT state || CASE WHEN octet_length(wrapped) > 0 OR inner_wrapped IS NOT NULL THEN ' kept' ELSE '' END AS state
     FROM "${id}".encryption_keys ORDER BY id`,
  );
  return rows.map(({ state }) => state);
}

/** How often the tenant's log, or what is on its way there, tells that the keys were destroyed. */
async function told({ id }: TenantRef): Promise<number> {
  const { rows } = await db.superuser.query<{ n: number }>(
    `SELECT count(*)::int AS n FROM (SELECT event FROM audit.outbox WHERE tenant = $1 UNION ALL SELECT event FROM audit.events WHERE tenant = $1) e
     WHERE convert_from(event, 'UTF8') LIKE '%"keys.destroyed"%'`,
    [id],
  );
  return rows[0]?.n ?? 0;
}

describe('wiping the keys of a tenant', () => {
  it('meets a key that a rotation adds at that moment, tells it once, and leaves the neighbour’s', async () => {
    const [tenant, neighbour] = [await newKeyTenant(db, process), await newKeyTenant(db, process)];
    await db.superuser.query('BEGIN');
    await db.superuser.query(`SELECT 1 FROM "${tenant.id}".encryption_keys FOR UPDATE`);
    const wiped = process.wiping.execute(tenant, NEVER);
    await eventually(async () => {
      const { rowCount } = await db.superuser.query(
        `SELECT 1 FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()`,
      );
      expect(rowCount).toBe(1);
    }, WAIT_MS);
    await db.superuser.query(
      `UPDATE "${tenant.id}".encryption_keys SET state = 'opens' WHERE purpose = 'field'`,
    );
    await db.superuser.query(
      `INSERT INTO "${tenant.id}".encryption_keys (id, purpose, kms_key_id, wrapped) VALUES ($1, 'field', 'k', 'x')`,
      [uuidv7()],
    );
    await db.superuser.query('COMMIT');
    await wiped;
    expect(await statesOf(tenant)).toEqual(['destroyed', 'destroyed', 'destroyed']);
    await process.wiping.execute(tenant, NEVER);
    expect(await told(tenant)).toBe(1);
    expect(await statesOf(neighbour)).toEqual(['current kept', 'current kept']);
    expect(await told(neighbour)).toBe(0);
  });

  it('goes on where it was left, and tells nothing twice', async () => {
    const [tenant, neighbour] = [await newKeyTenant(db, process), await newKeyTenant(db, process)];
    await process.wiping.execute(tenant, NEVER);
    await db.superuser.query(
      `INSERT INTO "${tenant.id}".encryption_keys (id, purpose, kms_key_id, wrapped) VALUES ($1, 'field', 'k', 'x')`,
      [uuidv7()],
    );
    await process.wiping.execute(tenant, NEVER);
    expect(await statesOf(tenant)).toEqual(['destroyed', 'destroyed', 'destroyed']);
    expect(await told(tenant)).toBe(1);
    expect(await statesOf(neighbour)).toEqual(['current kept', 'current kept']);
  });

  it('ends before it begins where another process has taken it over', async () => {
    const [tenant, neighbour] = [await newKeyTenant(db, process), await newKeyTenant(db, process)];
    const lost = new AbortController();
    lost.abort();
    await expect(process.wiping.execute(tenant, lost.signal)).rejects.toThrow('aborted');
    for (const one of [tenant, neighbour])
      expect(await statesOf(one)).toEqual(['current kept', 'current kept']);
  });
});
