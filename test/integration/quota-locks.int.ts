import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TenantRef } from '../../src/platform/database/index.js';
import { EnforceQuotas, type Tenant, type TenantRegistry } from '../../src/tenancy/index.js';
import { eventually } from '../support/eventually.js';
import { openTestDatabase, type TestDatabase } from '../support/test-database.js';

let db: TestDatabase;
let quotas: EnforceQuotas;
let acme: TenantRef;
let other: TenantRef;

beforeAll(async () => {
  db = await openTestDatabase({ pool: 6 });
  const allowed = { quotas: { agents: 2_000 } } as Tenant;
  const registry = { byId: () => Promise.resolve(allowed) } as unknown as TenantRegistry;
  quotas = new EnforceQuotas(db.database, registry);
  [acme, other] = [await db.newTenant(), await db.newTenant()];
  // The first of all to ask makes the lock, and is waited for until it ends.
  for (const tenant of [acme, other]) await asking(tenant, 0).end();
});
afterAll(() => db.close());

/** A transaction that has asked for room where so many are used, at the first look and at the next; ended by `end`. */
function asking(tenant: TenantRef, ...used: readonly number[]) {
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  const left = [...used];
  let answered = false;
  const answer = Promise.withResolvers<void>();
  // It may be refused before anybody waits for it.
  answer.promise.catch(() => undefined);
  const whole = db.database.within(tenant, () =>
    db.transactions.run(async () => {
      // By a table that is too large to tell without counting.
      await quotas.requireRoom('agents', () => Promise.resolve(left.shift() ?? used.at(-1) ?? 0), 'pg_proc');
      answered = true;
      answer.resolve();
      await ended;
    }),
  );
  whole.catch((error: Error) => answer.reject(error));
  return {
    answer: answer.promise,
    answered: () => answered,
    end: async () => {
      end();
      await whole;
    },
  };
}

/** As the server says: a transaction of this database waits for another. */
const oneWaits = (): Promise<unknown> =>
  eventually(async () => {
    const { rows } = await db.superuser.query(
      `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0`,
    );
    expect(rows).toHaveLength(1);
  }, 10_000);

it('with much room left, those who add do not wait for one another', async () => {
  const all = [asking(acme, 10), asking(acme, 10), asking(acme, 1_000)];
  await Promise.all(all.map(({ answer }) => answer));
  expect(all.map((one) => one.answered())).toEqual([true, true, true]);
  await Promise.all(all.map(({ end }) => end()));
});

it('near the end each waits for those before, shared or not; another organisation does not', async () => {
  const roomy = asking(acme, 10);
  await roomy.answer;
  const near = asking(acme, 1_999);
  const elsewhere = asking(other, 1_999);
  await elsewhere.answer;
  await oneWaits();
  expect(near.answered()).toBe(false);
  await roomy.end();
  await near.answer;
  const next = asking(acme, 1_999, 2_000);
  await oneWaits();
  expect(next.answered()).toBe(false);
  await near.end();
  await expect(next.answer).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
  await elsewhere.end();
});

it('whoever was overtaken while looking adds nothing', async () => {
  const { rows } = await db.superuser.query<{ most: number }>(
    `SELECT current_setting('max_connections')::int AS most`,
  );
  const most = rows[0]?.most ?? 0;
  expect(most).toBeGreaterThan(10);
  const fits = asking(acme, 1_000, 2_000 - most);
  await fits.answer;
  await fits.end();
  await expect(asking(acme, 1_000, 2_001 - most).answer).rejects.toMatchObject({ kind: 'unavailable' });
});

it('nothing is counted where the own table is too small for as many as are allowed, whatever the neighbour has', async () => {
  const fill = (tenant: TenantRef, rows: number) =>
    db.superuser.query(
      `WITH project AS (INSERT INTO "${tenant.id}".projects (id, name, created_by)
          VALUES (gen_random_uuid(), 'p', 'test') RETURNING id)
        INSERT INTO "${tenant.id}".agents (id, project_id, name, definition, created_by)
        SELECT gen_random_uuid(), project.id, 'a', '{}', 'test' FROM project, generate_series(1, ${rows})`,
    );
  let counted = 0;
  const count = () => {
    counted += 1;
    return Promise.resolve(10);
  };
  const ask = (tenant: TenantRef) =>
    db.database.within(tenant, () => db.transactions.run(() => quotas.requireRoom('agents', count)));
  await fill(other, 3_000);
  await ask(acme);
  expect(counted).toBe(0);
  await ask(other);
  expect(counted).toBeGreaterThan(0);
});
