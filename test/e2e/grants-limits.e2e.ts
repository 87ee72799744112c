import { beforeAll, describe, expect, it } from 'vitest';
import type { GrantDto } from '../../src/roles/grants.dto.js';
import {
  anAgent,
  furnished,
  grant,
  makeRole,
  personOf,
  type Furnished,
  type Signed,
} from '../support/access.js';
import { client, must, refusal } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { sharedApplication } from '../support/shared-application.js';
import { createApiKey, createTenant, uniqueName, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const DENIED = { status: 403, code: 'PERMISSION_DENIED' };
const NOT_FOUND = { status: 404, code: 'NOT_FOUND' };
const EXCEEDS = { status: 403, code: 'GRANT_EXCEEDS_OWN' };
let acme: TestTenant;
let ours: Furnished;
let theirs: Furnished;

beforeAll(async () => {
  acme = await createTenant(app);
  ours = await furnished(acme.api, 3);
  theirs = await furnished(acme.api, 2);
});

const member = (): Promise<Signed> => personOf(app, acme, 'Member');
const on = ({ project }: Furnished): string => `projects/${project.id}/`;

describe('nobody gives more than they have', () => {
  it('an administrator of a project grants there, and neither elsewhere nor above', async () => {
    const { person: admin, api } = await member();
    await grant(acme.api, on(ours), admin.id, { role: 'Admin' });
    const { person } = await member();
    const held = await grant(api, on(ours), person.id, { role: 'Admin' });
    const body = { principal: { type: 'user', id: person.id }, role: 'Viewer' };
    expect(await refusal(api.post(`/v1/${on(theirs)}grants`, body))).toEqual(NOT_FOUND);
    expect(await refusal(api.post('/v1/grants', body))).toEqual(DENIED);
    const listed = await api.all<GrantDto>(`/v1/${on(ours)}grants`);
    expect(listed.map(({ id }) => id)).toContain(held.id);
    expect(listed.every(({ resource }) => resource.id !== theirs.project.id)).toBe(true);
    expect(await refusal(api.get('/v1/grants'))).toEqual(DENIED);
    const beyond = await grant(acme.api, on(theirs), person.id, { role: 'Viewer' });
    expect(await refusal(api.delete(`/v1/${on(ours)}grants/${beyond.id}`))).toEqual(NOT_FOUND);
    expect((await api.delete(`/v1/${on(ours)}grants/${held.id}`)).status).toBe(204);
  });

  it('who may grant and do nothing else grants nothing else', async () => {
    const { person: granter, api } = await member();
    const role = await makeRole(acme.api, ['grant:manage', 'role:manage', 'agent:read']);
    await grant(acme.api, '', granter.id, { roleId: role.id });
    const { person } = await member();
    const to = (more: object) => ({ principal: { type: 'user', id: person.id }, ...more });
    for (const where of ['', on(ours), `agents/${anAgent(ours).id}/`])
      for (const wanted of ['Viewer', 'Developer', 'Admin'])
        expect(await refusal(api.post(`/v1/${where}grants`, to({ role: wanted })))).toEqual(EXCEEDS);
    const wider = await makeRole(acme.api, ['agent:read', 'agent:delete']);
    expect(await refusal(api.post('/v1/grants', to({ roleId: wider.id })))).toEqual(EXCEEDS);
    expect((await api.post('/v1/grants', to({ roleId: role.id }))).status).toBe(201);
    const named = { name: uniqueName('role'), permissions: ['agent:delete'] };
    expect(await refusal(api.post('/v1/roles', named))).toEqual(EXCEEDS);
    // A change of the role that they hold themselves is a grant to themselves.
    const more = { permissions: [...role.permissions, 'audit:read'] };
    expect(await refusal(api.patch(`/v1/roles/${role.id}`, more))).toEqual(EXCEEDS);
    expect(await refusal(api.patch(`/v1/roles/${wider.id}`, { name: 'mine' }))).toEqual(EXCEEDS);
  });

  it('who is refused names a decision by which it is found in the log, also of what there is not', async () => {
    const { person: granter, api } = await member();
    const role = await makeRole(acme.api, ['grant:manage', 'user:update']);
    await grant(acme.api, '', granter.id, { roleId: role.id });
    await grant(acme.api, on(ours), granter.id, { role: 'Viewer' });
    const { person } = await member();
    const admin = await personOf(app, acme, 'Admin');
    const beyond = { principal: { type: 'user', id: person.id }, role: 'Viewer' };
    const nobodys = '01890000-0000-7000-8000-000000000000';
    const answers = [
      await api.post('/v1/grants', beyond),
      await api.patch(`/v1/users/${admin.person.id}`, { displayName: 'x' }),
      await api.get(`/v1/agents/${anAgent(theirs).id}`),
      await api.get(`/v1/agents/${nobodys}`),
    ];
    expect(answers.map(({ body: { code, access } }) => [code, access?.permission])).toEqual([
      ['GRANT_EXCEEDS_OWN', 'project:read'],
      ['GRANT_EXCEEDS_OWN', undefined],
      ['NOT_FOUND', 'agent:read'],
      ['NOT_FOUND', 'agent:read'],
    ]);
    type Logged = { decision?: { id?: string; permission: string; resource?: { id: string } } };
    const events = await acme.api.all<Logged>('/v1/audit/events');
    const logged = answers.map(
      ({ body }) => events.find(({ decision }) => decision?.id === body.access?.decisionId)?.decision,
    );
    expect(logged).toMatchObject([
      { permission: 'project:read' },
      { permission: 'user:update' },
      { permission: 'agent:read', resource: { id: anAgent(theirs).id } },
      { permission: 'agent:read' },
    ]);
  });

  it('what a Member sets by a grant has no more than a Member', async () => {
    const { person, api } = await member();
    const role = await makeRole(acme.api, ['oauth_client:manage', 'sso:manage', 'user:create']);
    await grant(acme.api, '', person.id, { roleId: role.id });
    const machine = (of: string) => ({ name: 'm', role: of, scopes: ['agent:read'] });
    expect(await refusal(api.post('/v1/oauth-clients', machine('Viewer')))).toEqual(EXCEEDS);
    expect((await api.post('/v1/oauth-clients', machine('Member'))).status).toBe(201);
    const email = `${uniqueName('x')}@people.example`;
    const added = (of: string) => ({ email, password: 'correct horse battery staple 5', role: of });
    expect(await refusal(api.post('/v1/users', added('Viewer')))).toEqual(EXCEEDS);
    expect((await api.post('/v1/users', added('Member'))).status).toBe(201);
    await must(api.post('/v1/auth/step-up', { password: person.password }), 200);
    const oidc = { issuer: 'https://idp.invalid', clientId: 'x' };
    const connection = (defaultRole: string) =>
      api.post('/v1/sso/connections', {
        name: 'x',
        type: 'oidc',
        oidc,
        roles: { rules: [], defaultRole, everySignIn: false },
      });
    expect(await refusal(connection('Viewer'))).toEqual(EXCEEDS);
    expect((await connection('Member')).status).toBe(201);
  });

  it('nobody grants to themselves, by whichever credential', async () => {
    const { person, api } = await personOf(app, acme, 'Admin');
    const key = client(app.baseUrl, (await createApiKey(api, ['*:admin'])).key);
    const body = { principal: { type: 'user', id: person.id }, role: 'Viewer' };
    for (const caller of [api, key])
      expect(await refusal(caller.post(`/v1/${on(ours)}grants`, body))).toEqual({
        status: 403,
        code: 'GRANT_TO_SELF',
      });
  });

  it('nobody raises themselves', async () => {
    for (const [role, code] of [
      ['Admin', 'GRANT_EXCEEDS_OWN'],
      ['Developer', 'PERMISSION_DENIED'],
      ['Member', 'PERMISSION_DENIED'],
    ] as const) {
      const { person, api } = await personOf(app, acme, role);
      const raised = api.patch(`/v1/users/${person.id}`, { role: 'Owner' });
      expect(await refusal(raised)).toEqual({ status: 403, code });
    }
  });

  it('the role of an Owner is granted to nobody', async () => {
    const { person } = await member();
    for (const role of ['Owner', 'Member', 'Emperor', undefined, null])
      expect(
        await refusal(acme.api.post('/v1/grants', { principal: { type: 'user', id: person.id }, role })),
      ).toEqual({ status: 400, code: 'INVALID_REQUEST' });
  });

  it('a key grants no more than its scopes, and follows what its person holds', async () => {
    const { person, api } = await personOf(app, acme, 'Admin');
    const granting = client(app.baseUrl, (await createApiKey(api, ['grant:admin', 'agent:read'])).key);
    const { person: receiver, api: receiving } = await member();
    const body = { principal: { type: 'user', id: receiver.id }, role: 'Developer' };
    expect(await refusal(granting.post('/v1/grants', body))).toEqual(EXCEEDS);
    const held = await grant(api, on(ours), receiver.id, { role: 'Developer' });
    const key = client(app.baseUrl, (await makeKey(receiver.id)).key);
    expect((await key.get(`/v1/agents/${anAgent(ours).id}`)).status).toBe(200);
    expect(await refusal(key.get(`/v1/agents/${anAgent(theirs).id}`))).toEqual(NOT_FOUND);
    await must(acme.api.delete(`/v1/grants/${held.id}`), 204);
    for (const caller of [receiving, key])
      await eventually(
        async () => expect(await refusal(caller.get(`/v1/agents/${anAgent(ours).id}`))).toEqual(DENIED),
        1_000,
      );
    await must(acme.api.patch(`/v1/users/${person.id}`, { role: 'Viewer' }), 200);
    await eventually(
      async () => expect(await refusal(granting.post('/v1/grants', body))).toEqual(DENIED),
      1_000,
    );

    /** A key of somebody who may make one. */
    async function makeKey(id: string) {
      const maker = await makeRole(acme.api, ['api_key:create']);
      await grant(acme.api, '', id, { roleId: maker.id });
      return createApiKey(receiving, ['*:admin']);
    }
  });
});
