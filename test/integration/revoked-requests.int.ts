import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TenantRef } from '../../src/platform/database/index.js';
import { runInRequest, type RequestContext } from '../../src/platform/http/request-context.js';
import { RunningRequests } from '../../src/platform/http/running-requests.js';
import { openDetecting, type Detecting } from '../support/detecting.js';

let test: Detecting;
let acme: TenantRef;
let other: TenantRef;

beforeAll(async () => {
  test = await openDetecting();
  [acme, other] = [await test.newTenant(), await test.newTenant()];
});
afterAll(() => test.close());

function requestOf(tenant: TenantRef, sessionId: string): RequestContext {
  return {
    requestId: `request-${sessionId}`,
    method: 'POST',
    path: '/v1/projects',
    ip: '192.0.2.1',
    userAgent: 'test',
    endpoint: { permission: 'project:create', audit: 'project.created', summary: 'Test.' },
    tenant: { ...tenant, slug: 'test' },
    actor: { type: 'user', id: 'somebody', tenant: tenant.id, roles: [], sessionId },
    audit: {},
    recorded: false,
  };
}

/** Creates a project in a request, which `meanwhile` happens to before it is committed. */
async function create(tenant: TenantRef, request: RequestContext, meanwhile: () => void): Promise<void> {
  await test.db.database.within(tenant, () =>
    runInRequest(request, () =>
      test.unitOfWork().run(async () => {
        await test.db.database.query({
          text: `INSERT INTO projects (id, name, created_by) VALUES (gen_random_uuid(), $1, 'test')`,
          values: [request.actor.sessionId],
        });
        meanwhile();
      }),
    ),
  );
}

async function projects(tenant: TenantRef): Promise<string[]> {
  const { rows } = await test.db.superuser.query<{ name: string }>(
    `SELECT name FROM "${tenant.id}".projects ORDER BY name`,
  );
  return rows.map(({ name }) => name);
}

it('a request whose credential is revoked while it is served changes nothing, and those of others go on', async () => {
  const running = new RunningRequests();
  const [mine, beside, theirs] = [
    requestOf(acme, 'revoked'),
    requestOf(acme, 'beside'),
    requestOf(other, 'elsewhere'),
  ];
  for (const request of [mine, beside, theirs]) running.begin(request);
  const revoke = (): void => running.revoke(({ actor }) => actor.sessionId === 'revoked');
  await expect(create(acme, mine, revoke)).rejects.toMatchObject({ code: 'CREDENTIAL_REVOKED' });
  await create(acme, beside, revoke);
  await create(other, theirs, revoke);
  expect([await projects(acme), await projects(other)]).toEqual([['beside'], ['elsewhere']]);
  expect((await test.actions(acme)).filter((action) => action === 'project.created')).toHaveLength(1);
});

it('a stream is told of it once, also where it begins after', () => {
  const running = new RunningRequests();
  const request = requestOf(acme, 'streaming');
  running.begin(request);
  let ended = 0;
  request.onRevoked = () => (ended += 1);
  running.revoke(() => true);
  running.revoke(() => true);
  expect([ended, request.revoked]).toEqual([1, true]);
  running.end(request);
  expect([...running.all()]).toEqual([]);
});
