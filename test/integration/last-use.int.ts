import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { LastUse } from '../../src/auth/last-use.js';
import type { TenantRef } from '../../src/platform/database/index.js';
import { Log } from '../../src/platform/observability/log.js';
import { openDetecting, type Detecting } from '../support/detecting.js';

let test: Detecting;
let acme: TenantRef;
let other: TenantRef;

beforeAll(async () => {
  test = await openDetecting();
  [acme, other] = [await test.newTenant(), await test.newTenant()];
});
afterAll(() => test.close());

const newProcess = (): LastUse => new LastUse(test.db.database, test.unitOfWork(), new Log('silent'));

async function newKey(tenant: TenantRef): Promise<string> {
  const [userId, id] = [randomUUID(), randomUUID()];
  await test.db.superuser.query(
    `INSERT INTO "${tenant.id}".users (id, email, email_index, role) VALUES ($1, 'x', $2, 'Viewer')`,
    [userId, Buffer.from(userId)],
  );
  await test.db.superuser.query(
    `INSERT INTO "${tenant.id}".api_keys (id, name, prefix, secret_hash, scopes, user_id) VALUES ($1, 'k', 'p', $2, '{}', $3)`,
    [id, Buffer.from(id), userId],
  );
  return id;
}

async function lastUsed(tenant: TenantRef, id: string): Promise<number | undefined> {
  const { rows } = await test.db.superuser.query<{ at: Date | null }>(
    `SELECT last_used_at AS at FROM "${tenant.id}".api_keys WHERE id = $1`,
    [id],
  );
  return rows[0]?.at?.getTime();
}

it('is written together for each organisation, and at most once a minute', async () => {
  const process = newProcess();
  const [mine, beside, theirs] = [await newKey(acme), await newKey(acme), await newKey(other)];
  const at = Date.parse('2026-01-01T00:00:00Z');
  process.note(acme, 'api_key', mine, at);
  process.note(other, 'api_key', theirs, at);
  expect(await lastUsed(acme, mine)).toBeUndefined();
  await process.flush();
  expect([await lastUsed(acme, mine), await lastUsed(other, theirs)]).toEqual([at, at]);
  expect(await lastUsed(acme, beside)).toBeUndefined();
  process.note(acme, 'api_key', mine, at + 59_000);
  await process.flush();
  expect(await lastUsed(acme, mine)).toBe(at);
  process.note(acme, 'api_key', mine, at + 60_000);
  await process.flush();
  expect(await lastUsed(acme, mine)).toBe(at + 60_000);
});

it('does not go back where another process has noted a later one', async () => {
  const [one, another] = [newProcess(), newProcess()];
  const id = await newKey(acme);
  one.note(acme, 'api_key', id, 2_000_000);
  another.note(acme, 'api_key', id, 1_000_000);
  await one.flush();
  await another.flush();
  expect(await lastUsed(acme, id)).toBe(2_000_000);
});

it('that cannot be written of one organisation is written of the others', async () => {
  const process = newProcess();
  const id = await newKey(acme);
  process.note({ ...other, id: 't_ffffffffffffffff' as TenantRef['id'] }, 'api_key', randomUUID(), 5_000_000);
  process.note(acme, 'api_key', id, 5_000_000);
  await process.flush();
  expect(await lastUsed(acme, id)).toBe(5_000_000);
});
