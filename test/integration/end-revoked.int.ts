import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { EndRevoked } from '../../src/auth/end-revoked.js';
import { announce, Feed, type TenantRef } from '../../src/platform/database/index.js';
import type { RequestContext } from '../../src/platform/http/request-context.js';
import { RunningRequests } from '../../src/platform/http/running-requests.js';
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

/** A request of a directory, which has a token. */
async function requestOf(tenant: TenantRef, state = 'active', revokedAt?: Date): Promise<RequestContext> {
  const [directory, token] = [randomUUID(), randomUUID()];
  await test.db.superuser.query(
    `INSERT INTO "${tenant.id}".scim_directories (id, name, kind, state, default_role, highest_role, conflicts, mapping, created_by)
      VALUES ($1, 'test', 'generic', $2, 'Viewer', 'Owner', 'adopt', '{}', 'test')`,
    [directory, state],
  );
  await test.db.superuser.query(
    `INSERT INTO "${tenant.id}".scim_tokens (id, directory_id, prefix, secret_hash, created_by, expires_at, revoked_at)
      VALUES ($1, $2, 'test', $3, 'test', now() + interval '1 day', $4)`,
    [token, directory, randomBytes(32), revokedAt ?? null],
  );
  return {
    requestId: token,
    method: 'POST',
    path: '/scim/v2/Users',
    ip: '192.0.2.1',
    userAgent: 'test',
    endpoint: { permission: 'scim:write', audit: 'scim_user.created', summary: 'Test.' },
    tenant: { ...tenant, slug: 'test' },
    actor: { type: 'directory', id: directory, tenant: tenant.id, roles: [], tokenId: token },
    audit: {},
    recorded: false,
  };
}

/** The same of a transmitter of security events. */
async function deliveryOf(tenant: TenantRef, state: string): Promise<RequestContext> {
  const id = randomUUID();
  await test.db.superuser.query(
    `INSERT INTO "${tenant.id}".signal_transmitters
        (id, name, state, issuer, audience, jwks_uri, email_subjects, highest_role, token_hash, token_prefix, created_by)
      VALUES ($1, 'test', $2, 'https://a.example', 'a', 'https://a.example/keys', false, 'Owner', $3, 'test', 'test')`,
    [id, state, randomBytes(32)],
  );
  const { actor: _actor, ...request } = await requestOf(tenant);
  return { ...request, actor: { type: 'transmitter', id, tenant: tenant.id, roles: [] } };
}

it('while changes cannot be heard, requests of a directory go on, but for those whose token or directory has ended', async () => {
  const running = new RunningRequests();
  // It was never opened, and hears nothing.
  const deaf = new Feed(test.db.cells, new Log('silent'));
  const requests = {
    delivering: await deliveryOf(acme, 'active'),
    undelivered: await deliveryOf(acme, 'disabled'),
    alive: await requestOf(acme),
    elsewhere: await requestOf(other),
    revoked: await requestOf(acme, 'active', new Date()),
    disabled: await requestOf(acme, 'disabled'),
  };
  for (const request of Object.values(requests)) running.begin(request);
  await new EndRevoked(running, test.db.database, deaf, new Log('silent')).round();
  const ended = Object.entries(requests).map(([name, { revoked }]) => [name, revoked ?? false]);
  expect(Object.fromEntries(ended)).toEqual({
    delivering: false,
    undelivered: true,
    alive: false,
    elsewhere: false,
    revoked: true,
    disabled: true,
  });
});

/** A person who holds a grant, and an answer that is being streamed to them. */
async function streamTo(tenant: TenantRef, running: RunningRequests) {
  const { actor: _actor, ...request } = await requestOf(tenant);
  const [id, session, grant] = [await test.addPerson(tenant), randomUUID(), randomUUID()];
  const schema = `"${tenant.id}"`;
  await test.db.superuser.query(
    `INSERT INTO ${schema}.sessions (id, user_id, token_hash, fingerprint, expires_at)
      VALUES ($1, $2, $3, '', now() + interval '1 hour')`,
    [session, id, randomBytes(32)],
  );
  await test.db.superuser.query(
    `INSERT INTO ${schema}.role_grants (id, user_id, role, resource_type, resource_id, created_by)
      VALUES ($1, $2, 'Admin', 'organisation', $3, 'test')`,
    [grant, id, tenant.id],
  );
  const on = { kind: 'organisation', id: tenant.id } as const;
  const access = { policies: 0, groups: [], grants: [{ id: grant, role: 'Admin', on }] };
  const actor = {
    type: 'user',
    id,
    tenant: tenant.id,
    roles: ['Viewer'],
    sessionId: session,
    access,
  } as const;
  const streamed: RequestContext = { ...request, actor, onRevoked: () => undefined };
  const asked: RequestContext = { ...request, actor };
  for (const one of [streamed, asked]) running.begin(one);
  const revoke = async (): Promise<void> => {
    await test.db.superuser.query(`DELETE FROM ${schema}.role_grants WHERE id = $1`, [grant]);
    await test.db.database.within(tenant, () =>
      test.db.transactions.run(() =>
        test.db.database.query(announce({ kind: 'access', tenant: tenant.id, id })),
      ),
    );
  };
  return { streamed, asked, revoke };
}

it('what is being streamed to somebody ends within a second of the end of their grant, and of support’s time', async () => {
  const running = new RunningRequests();
  const feed = new Feed(test.db.cells, new Log('silent'));
  await feed.open();
  const ending = new EndRevoked(running, test.db.database, feed, new Log('silent'));
  ending.onApplicationBootstrap();
  try {
    const [mine, theirs] = [await streamTo(acme, running), await streamTo(other, running)];
    const { actor: _actor, ...request } = await requestOf(acme);
    const soon = {
      type: 'support',
      id: randomUUID(),
      tenant: acme.id,
      roles: [],
      endsAt: Date.now() + 700,
    } as const;
    const support: RequestContext = { ...request, actor: soon };
    running.begin(support);
    await mine.revoke();
    await expect.poll(() => mine.streamed.revoked, { timeout: 1_000 }).toBe(true);
    // Whatever answers at once has been decided on, and goes on.
    expect([mine.asked.revoked, theirs.streamed.revoked, theirs.asked.revoked]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    await expect.poll(() => support.revoked, { timeout: 1_200 }).toBe(true);
    expect(Date.now()).toBeGreaterThanOrEqual(soon.endsAt);
  } finally {
    await ending.beforeApplicationShutdown();
    await feed.onApplicationShutdown();
  }
});
