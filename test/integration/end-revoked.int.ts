import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { EndRevoked } from '../../src/auth/end-revoked.js';
import { Feed, type TenantRef } from '../../src/platform/database/index.js';
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
