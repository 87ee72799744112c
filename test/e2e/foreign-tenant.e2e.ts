import type { UserDto } from '../../src/auth/auth.dto.js';
import type { Problem } from '../../src/platform/http/problem.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { grant, makeRole } from '../support/access.js';
import { createAgent, createProject, publishedAgent, startRun } from '../support/agents.js';
import { raisedAlert } from '../support/alerts.js';
import { sharedApplication } from '../support/shared-application.js';
import { client, must, refusal, type Client } from '../support/client.js';
import { asSuperuser, REGIONS } from '../support/embedded-database.js';
import { createClient } from '../support/oauth.js';
import { OpenApiContract, type DocumentedRoute } from '../support/openapi-contract.js';
import { permissionOf, PERMISSIONS } from '../support/permissions.js';
import { withTotp } from '../support/second-factors.js';
import { steppedUp } from '../support/single-sign-on.js';
import { createApiKey, createPerson, createTenant, signIn, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
let acme: TestTenant;
let other: TestTenant;
/** What acme has, by the resource that a path names. */
let owned: Readonly<Record<string, string>>;
let routesWithId: readonly DocumentedRoute[];

beforeAll(async () => {
  acme = await createTenant(app);
  other = await createTenant(app);
  const agent = await publishedAgent(acme.api);
  const role = await makeRole(acme.api, ['agent:read']);
  const text = '@id("x") forbid (principal, action == Action::"agent:delete", resource);';
  const written = await must(acme.api.post<{ version: number }>('/v1/access/policies', { text }), 201);
  const holder = await createPerson(acme.api, 'Member');
  const owner = await steppedUp(app, acme);
  const connection = { name: 'x', type: 'oidc', oidc: { issuer: 'https://idp.invalid', clientId: 'x' } };
  owned = {
    agents: agent.id,
    projects: agent.projectId,
    roles: role.id,
    // Versions are counted in each organisation: the other one has none.
    access: String(written.version),
    grants: (await grant(acme.api, '', holder.id, { roleId: role.id })).id,
    runs: (await startRun(acme.api, agent.id)).id,
    users: (await createPerson(acme.api, 'Viewer')).id,
    'api-keys': (await createApiKey(acme.api, ['agent:read'])).id,
    tenants: acme.id,
    scim: (await must(owner.post<{ id: string }>('/v1/scim/directories', { name: 'x', kind: 'okta' }), 201))
      .id,
    'shared-signals': (
      await must(owner.post<{ id: string }>('/v1/shared-signals/transmitters', TRANSMITTER), 201)
    ).id,
    groups: (await must(acme.api.post<{ id: string }>('/v1/groups', { displayName: 'x' }), 201)).id,
    'oauth-clients': (await createClient(acme.api)).id,
    domains: (await must(owner.post<{ id: string }>('/v1/domains', { name: `${acme.slug}.example` }), 201))
      .id,
    sso: (await must(owner.post<{ id: string }>('/v1/sso/connections', connection), 201)).id,
    alerts: (await raisedAlert(app, acme)).id,
    'alert-channels': (
      await must(
        acme.api.post<{ id: string }>('/v1/alert-channels', {
          name: 'hook',
          kind: 'webhook',
          url: 'https://alerts.invalid/',
        }),
        201,
      )
    ).id,
    // Of somebody's own: a second factor.
    me: (await withTotp(app, acme, await createPerson(acme.api, 'Developer'))).factor.id,
    // A session of the owner's.
    auth: await sessionOf(acme),
    // The operator's.
    installation: '01890000-0000-7000-8000-000000000003',
    // Rules are the same for everybody: this is none.
    detection: '01890000-0000-7000-8000-000000000002',
    audit: (
      await must(
        acme.api.post<{ id: string }>('/v1/audit/destinations', {
          name: 'hook',
          kind: 'webhook',
          url: 'https://siem.invalid/',
        }),
        201,
      )
    ).id,
  };
  const { routes } = await OpenApiContract.of(app.baseUrl);
  routesWithId = routes.filter(({ path }) => path.includes('{'));
});

async function sessionOf({ slug, owner }: TestTenant): Promise<string> {
  const session = client(app.baseUrl, (await signIn(app, slug, owner)).accessToken);
  const { items } = await must(session.get<{ items: { id: string }[] }>('/v1/auth/sessions'), 200);
  const [first] = items;
  if (!first) throw new Error('A session is in the list that it reads.');
  return first.id;
}

const TRANSMITTER = {
  name: 'x',
  issuer: 'https://signals.invalid',
  audience: 'x',
  jwksUri: 'https://signals.invalid/keys',
};
const GRANT = { principal: { type: 'user', id: '01890000-0000-7000-8000-000000000000' }, role: 'Viewer' };

/** A body that each route accepts, so that nothing but the id is wrong. */
const BODIES: Readonly<Record<string, unknown>> = {
  'PUT /v1/detection/rules/{rule}': { enabled: true, severity: 'P3', threshold: 5, windowSeconds: 900 },
  'PATCH /v1/users/{id}': { role: 'Viewer' },
  'PATCH /v1/scim/directories/{id}': { name: 'renamed' },
  'POST /v1/scim/directories/{id}/tokens': {},
  'POST /v1/scim/requests/{id}/replay': {},
  'PATCH /v1/shared-signals/transmitters/{id}': { name: 'renamed' },
  'POST /v1/shared-signals/transmitters/{id}/rotate-token': {},
  'PATCH /v1/groups/{id}': { displayName: 'renamed' },
  'PATCH /v1/groups/{id}/members': {},
  'PATCH /v1/me/second-factors/{id}': { name: 'renamed' },
  'POST /v1/me/second-factors/totp/{id}/confirm': { code: '000000' },
  'PATCH /v1/domains/{id}': { ssoRequired: false },
  'PATCH /v1/sso/connections/{id}': { name: 'renamed' },
  'PATCH /v1/agents/{id}': { name: 'renamed' },
  'POST /v1/agents/{id}/runs': { input: 'x' },
  'PATCH /v1/roles/{id}': { name: 'renamed' },
  'POST /v1/agents/{id}/grants': GRANT,
  'POST /v1/projects/{id}/grants': GRANT,
  'PUT /v1/agents/{id}/labels': { environment: null, tags: [] },
  'PUT /v1/projects/{id}/labels': { environment: null, tags: [] },
  'PUT /v1/tenants/{id}/rate-limits': { requests: null, signIns: null },
};

function ask(api: Client, { method, path }: DocumentedRoute, id: string) {
  const body = BODIES[`${method} ${path}`];
  return api.send(method, path.replaceAll(/\{\w+\}/g, id), { body });
}

/** What an answer says, without what is another in each: the ids of the request and of the decision, also in the words. */
function told(body: unknown): unknown {
  const { requestId: _request, ...problem } = body as Problem;
  const { decisionId = '' } = problem.access ?? {};
  return decisionId === ''
    ? problem
    : (JSON.parse(JSON.stringify(problem).replaceAll(decisionId, 'id')) as unknown);
}

describe("another tenant's ids", () => {
  it('are not found, on every route that takes an id, and as little as ids that nobody has', async () => {
    expect(routesWithId.length).toBeGreaterThanOrEqual(10);
    const nobodys = '01890000-0000-7000-8000-000000000000';
    // Somebody who may do all that an owner may, what asks for the password again included.
    const owner = client(app.baseUrl, (await signIn(app, other.slug, other.owner)).accessToken);
    await must(owner.post('/v1/auth/step-up', { password: other.owner.password }), 200);
    for (const route of routesWithId) {
      const resource = route.path.split('/')[2] ?? '';
      const id = owned[resource];
      if (id === undefined)
        throw new Error(`Say what acme owns of ${resource}, so that ${route.path} is tested.`);
      const foreign = await ask(owner, route, id);
      const unknown = await ask(owner, route, nobodys);
      const [seen, expected] = [told(foreign.body), told(unknown.body)];
      // What is the operator's is refused to everybody in the same words, whatever the id.
      const permission = permissionOf(route);
      const status = permission && PERMISSIONS[permission].grantee === 'operator' ? 403 : 404;
      expect({ route: route.path, status: foreign.status }).toEqual({ route: route.path, status });
      expect(seen).toEqual(expected);
    }
  });

  it('are not changed by the attempts, and the owner is still served', async () => {
    for (const resource of ['agents', 'runs'])
      expect((await acme.api.get(`/v1/${resource}/${owned[resource]}`)).status).toBe(200);
    const keys = await acme.api.all<{ id: string; revokedAt?: string }>('/v1/api-keys');
    expect(keys.find(({ id }) => id === owned['api-keys'])?.revokedAt).toBeUndefined();
  });

  it('are not found inside a body or a query either', async () => {
    const { id: projectId } = await createProject(acme.api);
    const definition = { instructions: 'x', model: { provider: 'demo', name: 'demo' } };
    const body = { projectId, name: 'x', definition };
    expect((await refusal(other.api.post('/v1/agents', body))).status).toBe(404);
    const { id: own } = await createAgent(acme.api, { projectId });
    expect(await other.api.all(`/v1/agents?projectId=${projectId}`)).toEqual([]);
    expect(await other.api.all(`/v1/runs?agentId=${own}`)).toEqual([]);
  });

  it('are in none of its lists', async () => {
    const lists = ['projects', 'agents', 'users', 'api-keys', 'runs', 'audit/events'];
    const answers = await Promise.all(lists.map((list) => other.api.all(`/v1/${list}`)));
    const text = JSON.stringify(answers);
    for (const id of Object.values(owned)) {
      // Its own log holds its own attempts, with the path that it asked for; nothing else may name them.
      const elsewhere = text.replaceAll(new RegExp(`"path":"[^"]*${id}[^"]*"`, 'g'), '');
      const found = elsewhere.indexOf(id);
      expect(found < 0 ? '' : elsewhere.slice(found - 300, found + 100)).toBe('');
    }
    expect(text).not.toContain(acme.slug);
  });
});

describe("another tenant's slug with my key", () => {
  const slugOfAcme = () => other.api.with({ 'x-tenant-slug': acme.slug });

  it('is refused, on every route that needs a credential', async () => {
    const { routes } = await OpenApiContract.of(app.baseUrl);
    for (const route of routes.filter(({ operation }) => operation.security)) {
      const path = route.path.replaceAll(/\{\w+\}/g, owned['agents'] ?? '');
      const answer = slugOfAcme().send(route.method, path, { body: BODIES[`${route.method} ${route.path}`] });
      expect(await refusal(answer as never)).toEqual({ status: 403, code: 'TENANT_MISMATCH' });
    }
  });

  it('stands in my log as denied, and in theirs not at all', async () => {
    const { headers } = await slugOfAcme().get('/v1/agents');
    const requestId = headers.get('x-request-id');
    const mine = await other.api.all<{ outcome: string; reason?: string; request?: { id: string } }>(
      '/v1/audit/events',
    );
    const event = mine.find(({ request }) => request?.id === requestId);
    expect(event).toMatchObject({ outcome: 'denied', reason: 'TENANT_MISMATCH' });
    const theirs = await acme.api.all<{ request?: { id: string } }>('/v1/audit/events');
    expect(theirs.some(({ request }) => request?.id === requestId)).toBe(false);
  });

  it('is accepted where it is my own, in any case', async () => {
    const me = other.api.with({ 'x-tenant-slug': other.slug.toUpperCase() });
    expect((await me.get('/v1/me')).status).toBe(200);
  });

  it('is refused where nobody has it', async () => {
    const answer = other.api.with({ 'x-tenant-slug': 'nobody-has-this' }).get('/v1/me');
    expect(await refusal(answer)).toEqual({ status: 403, code: 'TENANT_MISMATCH' });
  });
});

describe('two tenants', () => {
  it('have people with the same address and password, who are not each other', async () => {
    const person = {
      email: 'same@people.example',
      password: 'correct horse battery staple 2',
      role: 'Viewer',
    };
    const [inAcme, inOther] = await Promise.all([
      must(acme.api.post<UserDto>('/v1/users', person), 201),
      must(other.api.post<UserDto>('/v1/users', person), 201),
    ]);
    const tokens = await signIn(app, acme.slug, person);
    const me = acme.api.with({ authorization: `Bearer ${tokens.accessToken}` });
    const { user, tenant } = await must(
      me.get<{ user: { id: string }; tenant: { slug: string } }>('/v1/me'),
      200,
    );
    expect([user.id, tenant.slug]).toEqual([inAcme.id, acme.slug]);
    await must(other.api.patch(`/v1/users/${inOther.id}`, { status: 'disabled' }), 200);
    expect((await me.get('/v1/me')).status).toBe(200);
  });

  it('have the same text stored as different bytes, and the same address under different indexes', async () => {
    const [region] = REGIONS;
    if (!region) throw new Error('There is no region.');
    const rows = await asSuperuser(app.home, region, async (database) => {
      const found = [];
      for (const { id } of [acme, other]) {
        const { rows } = await database.query<{ email: Buffer; email_index: Buffer }>(
          `SELECT email, email_index FROM "${id}".users ORDER BY id DESC LIMIT 1`,
        );
        found.push(...rows);
      }
      return found;
    });
    const [first, second] = rows;
    expect(rows).toHaveLength(2);
    expect(first?.email_index.equals(second?.email_index ?? Buffer.alloc(0))).toBe(false);
    expect(first?.email.includes('same@people.example')).toBe(false);
  });
});
