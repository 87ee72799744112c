import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TenantRef } from '../../src/platform/database/index.js';
import { auditDetails, runInRequest, type RequestContext } from '../../src/platform/http/request-context.js';
import { openDetecting, type Detecting } from '../support/detecting.js';

let test: Detecting;
let acme: TenantRef;
let other: TenantRef;

beforeAll(async () => {
  test = await openDetecting();
  [acme, other] = [await test.newTenant(), await test.newTenant()];
});
afterAll(() => test.close());

function requestOf(tenant: TenantRef): RequestContext {
  return {
    requestId: randomUUID(),
    method: 'PATCH',
    path: '/v1/projects',
    ip: '192.0.2.1',
    userAgent: 'test',
    endpoint: { permission: 'project:create', audit: 'project.created', summary: 'Test.' },
    tenant: { ...tenant, slug: 'test' },
    actor: { type: 'user', id: randomUUID(), tenant: tenant.id, roles: [] },
    audit: {},
    recorded: false,
  };
}

async function twoProjects(tenant: TenantRef): Promise<[string, string]> {
  const ids: [string, string] = [randomUUID(), randomUUID()];
  for (const id of ids)
    await test.db.superuser.query(
      `INSERT INTO "${tenant.id}".projects (id, name, created_by) VALUES ($1, 'before', 'test')`,
      [id],
    );
  return ids;
}

/** Renames both, one after the other: each waits before the second until both have the first. */
function rename(tenant: TenantRef, [first, second]: readonly [string, string], met: () => Promise<void>) {
  const request = requestOf(tenant);
  const name = request.requestId;
  let attempts = 0;
  const text = 'UPDATE projects SET name = $2 WHERE id = $1';
  const done = test.db.database.within(tenant, () =>
    runInRequest(request, () =>
      test.unitOfWork().run(async () => {
        attempts += 1;
        auditDetails({
          changes: { attempt: attempts },
          ...(attempts === 1 && { outcome: 'denied' as const }),
        });
        await test.db.database.query({ text, values: [first, name] });
        if (attempts === 1) await met();
        await test.db.database.query({ text, values: [second, name] });
      }),
    ),
  );
  return { request, done, attempts: () => attempts };
}

/** Resolves when so many have come. */
function meeting(count: number): () => Promise<void> {
  const all = Promise.withResolvers<void>();
  let missing = count;
  return () => {
    if ((missing -= 1) === 0) all.resolve();
    return all.promise;
  };
}

it('two changes that wait for each other are both made, each with one event', async () => {
  const met = meeting(2);
  const [a, b] = await twoProjects(acme);
  const beside = await twoProjects(other);
  const changes = [rename(acme, [a, b], met), rename(acme, [b, a], met)];
  const elsewhere = rename(other, beside, () => Promise.resolve());
  await Promise.all([...changes, elsewhere].map(({ done }) => done));
  expect(changes.map(({ attempts }) => attempts()).toSorted((a, b) => a - b)).toEqual([1, 2]);
  expect(elsewhere.attempts()).toBe(1);
  const of = async (tenant: TenantRef): Promise<string[]> =>
    (await test.actions(tenant)).filter((action) => action === 'project.created');
  expect([(await of(acme)).length, (await of(other)).length]).toEqual([2, 1]);
  const { rows } = await test.db.superuser.query<{ name: string }>(
    `SELECT DISTINCT name FROM "${acme.id}".projects WHERE id = ANY ($1)`,
    [[a, b]],
  );
  expect(rows).toHaveLength(1);
  // What the attempt that was taken back had said of itself is forgotten.
  const again = changes.find(({ attempts }) => attempts() === 2);
  expect(again?.request.audit).toEqual({ changes: { attempt: 2 } });
});

it('what fails otherwise is done once, and what deadlocks again and again fails', async () => {
  const failing = async (code: string): Promise<number> => {
    let attempts = 0;
    const work = test.db.database.within(acme, () =>
      runInRequest(requestOf(acme), () =>
        test.unitOfWork().run(() => {
          attempts += 1;
          return Promise.reject(Object.assign(new Error('As the server says it.'), { code }));
        }),
      ),
    );
    await expect(work).rejects.toMatchObject({ code });
    return attempts;
  };
  expect([await failing('23505'), await failing('40P01'), await failing('40001')]).toEqual([1, 3, 3]);
});
