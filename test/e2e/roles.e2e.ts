import type { UserDto } from '../../src/auth/auth.dto.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { sharedApplication } from '../support/shared-application.js';
import { client, must, refusal, type Client } from '../support/client.js';
import { OpenApiContract, type DocumentedRoute } from '../support/openapi-contract.js';
import { isDenied, isOfNoPerson, permissionOf, PERMISSIONS } from '../support/permissions.js';
import {
  createPerson,
  createTenant,
  signIn,
  uniqueName,
  type Person,
  type TestTenant,
} from '../support/tenants.js';

const app = sharedApplication();
let acme: TestTenant;
let routes: readonly DocumentedRoute[];

beforeAll(async () => {
  acme = await createTenant(app);
  routes = (await OpenApiContract.of(app.baseUrl)).routes.filter((route) => permissionOf(route));
});

const RANKS = ['member', 'viewer', 'developer', 'admin', 'owner', 'operator'];
const EXCEEDS = { status: 403, code: 'GRANT_EXCEEDS_OWN' };

async function personWith(role: string): Promise<{ person: Person; api: Client }> {
  const person = role === 'Owner' ? acme.owner : await createPerson(acme.api, role);
  const { accessToken } = await signIn(app, acme.slug, person);
  return { person, api: client(app.baseUrl, accessToken) };
}

async function anew(person: Person): Promise<Client> {
  return client(app.baseUrl, (await signIn(app, acme.slug, person)).accessToken);
}

/** Calls a route with nothing that it could act upon: an id that nobody has, and no body. */
async function knock(api: Client, { method, path }: DocumentedRoute): Promise<'denied' | 'let in'> {
  const answer = await api.send(method, path.replaceAll(/\{\w+\}/g, '01890000-0000-7000-8000-000000000000'));
  if (answer.status === 401) throw new Error(`${method} ${path} knows no such person.`);
  return isDenied(answer) ? 'denied' : 'let in';
}

describe.each(['Member', 'Viewer', 'Developer', 'Admin', 'Owner'])('a person who is %s', (role) => {
  it('may call exactly the routes whose permission the role has', async () => {
    const { api, person } = await personWith(role);
    expect(routes.length).toBeGreaterThan(20);
    for (const route of routes) {
      const permission = permissionOf(route);
      const grantee = permission && PERMISSIONS[permission].grantee;
      const isTheirs = RANKS.indexOf(grantee ?? '') <= RANKS.indexOf(role.toLowerCase());
      const expected = isTheirs && !isOfNoPerson(route) ? 'let in' : 'denied';
      const where = `${route.method} ${route.path}`;
      // Nothing works after signing out: that is done with a session of its own.
      const caller = route.path.endsWith('logout') ? await anew(person) : api;
      expect({ where, outcome: await knock(caller, route) }).toEqual({ where, outcome: expected });
    }
  });
});

it('the operator may call the routes of the installation, and none inside an organisation', async () => {
  const operator = client(app.baseUrl, app.firstRun.operatorKey);
  for (const route of routes) {
    const permission = permissionOf(route);
    const expected = permission && PERMISSIONS[permission].grantee === 'operator' ? 'let in' : 'denied';
    const where = `${route.method} ${route.path}`;
    expect({ where, outcome: await knock(operator, route) }).toEqual({ where, outcome: expected });
    const inside = operator.with({ 'x-tenant-slug': acme.slug });
    expect({ where, outcome: await knock(inside, route) }).toEqual({ where, outcome: expected });
  }
});

it('nobody may call anything without a credential', async () => {
  const anyone = client(app.baseUrl, undefined, { 'x-tenant-slug': acme.slug });
  for (const { method, path } of routes) {
    const answer = anyone.send(method, path.replaceAll(/\{\w+\}/g, '01890000-0000-7000-8000-000000000000'));
    expect(await refusal(answer as never)).toEqual({ status: 401, code: 'AUTHENTICATION_REQUIRED' });
  }
});

it('a denial stands in the log, with who was denied what', async () => {
  const { api, person } = await personWith('Viewer');
  const { headers } = await api.post('/v1/projects', { name: 'x' });
  const events = await acme.api.all<Record<string, unknown>>('/v1/audit/events?action=project.created');
  const event = events.find(({ request }) => (request as { id: string }).id === headers.get('x-request-id'));
  expect(event).toMatchObject({ outcome: 'denied', reason: 'PERMISSION_DENIED', actor: { id: person.id } });
});

describe('roles', () => {
  it('above their own are neither given nor taken by anybody', async () => {
    const { api: admin } = await personWith('Admin');
    const body = { email: `${uniqueName('x')}@people.example`, password: 'correct horse battery staple 3' };
    expect(await refusal(admin.post('/v1/users', { ...body, role: 'Owner' }))).toEqual(EXCEEDS);
    const viewer = await createPerson(acme.api, 'Viewer');
    expect(await refusal(admin.patch(`/v1/users/${viewer.id}`, { role: 'Owner' }))).toEqual(EXCEEDS);
    for (const change of [{ role: 'Viewer' }, { status: 'disabled' }, { role: 'Owner' }, {}]) {
      expect(await refusal(admin.patch(`/v1/users/${acme.owner.id}`, change))).toEqual(EXCEEDS);
    }
    expect((await admin.patch(`/v1/users/${viewer.id}`, { role: 'Admin' })).status).toBe(200);
  });

  it('leave an organisation with at least one owner', async () => {
    const lastOwner = { status: 409, code: 'LAST_OWNER' };
    const path = `/v1/users/${acme.owner.id}`;
    expect(await refusal(acme.api.patch(path, { role: 'Admin' }))).toEqual(lastOwner);
    expect(await refusal(acme.api.patch(path, { status: 'disabled' }))).toEqual(lastOwner);
  });

  it('leave one owner when two demote each other at the same moment', async () => {
    const tenant = await createTenant(app);
    const second = await createPerson(tenant.api, 'Owner');
    const { accessToken } = await signIn(app, tenant.slug, second);
    const answers = await Promise.all([
      tenant.api.patch<UserDto>(`/v1/users/${second.id}`, { role: 'Viewer' }),
      client(app.baseUrl, accessToken).patch<UserDto>(`/v1/users/${tenant.owner.id}`, { role: 'Viewer' }),
    ]);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    const survivor = answers[0].status === 200 ? tenant.api : client(app.baseUrl, accessToken);
    const people = await survivor.all<UserDto>('/v1/users');
    expect(people.filter(({ role }) => role === 'Owner')).toHaveLength(1);
  });

  it('are changed only where the caller has seen the latest version, if it asks for that', async () => {
    const viewer = await createPerson(acme.api, 'Viewer');
    const path = `/v1/users/${viewer.id}`;
    const { version } = await must(
      acme.api.patch<UserDto>(path, { role: 'Developer' }, { 'if-match': '"1"' }),
      200,
    );
    expect(version).toBe(2);
    const stale = acme.api.patch(path, { role: 'Admin' }, { 'if-match': '"1"' });
    expect(await refusal(stale)).toEqual({ status: 412, code: 'VERSION_MISMATCH' });
  });
});

it('an address belongs to one person of an organisation, whatever its case, also when two come at once', async () => {
  const email = `${uniqueName('twin')}@people.example`;
  const body = { password: 'correct horse battery staple 4', role: 'Viewer' };
  const answers = await Promise.all(
    [email, email.toUpperCase(), email].map((address) =>
      acme.api.post('/v1/users', { ...body, email: address }),
    ),
  );
  expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([201, 409, 409]);
  expect(await refusal(acme.api.post('/v1/users', { ...body, email }))).toEqual({
    status: 409,
    code: 'EMAIL_TAKEN',
  });
});
