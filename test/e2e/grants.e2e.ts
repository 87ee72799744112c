import { beforeAll, describe, expect, it } from 'vitest';
import type { AgentDto } from '../../src/agents/agents.dto.js';
import type { Problem } from '../../src/platform/http/problem.js';
import type { GrantDto } from '../../src/roles/grants.dto.js';
import {
  furnished,
  grant,
  idsIn,
  makeRole,
  personOf,
  type Furnished,
  type Signed,
} from '../support/access.js';
import { createAgent, publishedAgent, startRun } from '../support/agents.js';
import { client, must, refusal, type Answer, type Client } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { createClient, tokenOf } from '../support/oauth.js';
import { sharedApplication } from '../support/shared-application.js';
import { createApiKey, createTenant, uniqueName, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const DENIED = { status: 403, code: 'PERMISSION_DENIED' };
const NOT_FOUND = { status: 404, code: 'NOT_FOUND' };
const EXCEEDS = { status: 403, code: 'GRANT_EXCEEDS_OWN' };
let acme: TestTenant;
let other: TestTenant;
let ours: Furnished;
let theirs: Furnished;

beforeAll(async () => {
  acme = await createTenant(app);
  other = await createTenant(app);
  ours = await furnished(acme.api, 3);
  theirs = await furnished(acme.api, 2);
});

const definition = { instructions: 'x', model: { provider: 'demo', name: 'demo' } };
const member = (): Promise<Signed> => personOf(app, acme, 'Member');
const on = ({ project }: Furnished): string => `projects/${project.id}/`;
const knock = (api: Client, method: string, id: string): Promise<Answer<Problem>> =>
  api.send<Problem>(method, `/v1/agents/${id}`, method === 'PATCH' ? { body: {} } : {});
const anAgent = ({ agents: [first] }: Furnished): AgentDto => {
  if (!first) throw new Error('It was furnished.');
  return first;
};

describe('a member who holds nothing', () => {
  it('reads themselves, and none of what the organisation has', async () => {
    const { api } = await member();
    expect((await api.get('/v1/me')).status).toBe(200);
    for (const path of ['projects', 'agents', 'runs', `agents/${anAgent(ours).id}`, 'users', 'grants'])
      expect(await refusal(api.get(`/v1/${path}`))).toEqual(DENIED);
  });

  it('is told what to ask for and whom, under an id that is in the log too, and no policy', async () => {
    const { api } = await member();
    const { body } = await api.delete(`/v1/agents/${anAgent(ours).id}`);
    expect(body.access).toEqual({
      decisionId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      permission: 'agent:delete',
      role: 'Developer',
      askFor: 'an Owner or an Admin',
    });
    const events = await acme.api.all<{ decision?: { id?: string } }>('/v1/audit/events?outcome=denied');
    expect(events.find(({ decision }) => decision?.id === body.access?.decisionId)).toMatchObject({
      action: 'agent.deleted',
      decision: { permission: 'agent:delete', resource: { type: 'agent', id: anAgent(ours).id } },
    });
  });
});

describe('a grant on a project', () => {
  it('gives its role there and on the agents in it, and nowhere else', async () => {
    const { person, api } = await member();
    await grant(acme.api, on(ours), person.id, { role: 'Developer' });
    expect((await api.get(`/v1/projects/${ours.project.id}`)).status).toBe(200);
    expect((await api.get(`/v1/agents/${anAgent(ours).id}`)).status).toBe(200);
    const made = await createAgent(api, { projectId: ours.project.id });
    expect((await api.patch(`/v1/agents/${made.id}`, { name: 'renamed' })).status).toBe(200);
    expect((await api.delete(`/v1/agents/${made.id}`)).status).toBe(204);
    const elsewhere = { projectId: theirs.project.id, name: 'x', definition };
    expect(await refusal(api.post('/v1/agents', elsewhere))).toEqual(NOT_FOUND);
    expect(await refusal(api.post('/v1/projects', { name: 'x' }))).toEqual(DENIED);
    expect(await refusal(api.get(`/v1/agents/${ours.project.id}/grants`))).toEqual(DENIED);
  });

  it('does not say whether there is what it does not reach', async () => {
    const { person, api } = await member();
    await grant(acme.api, on(ours), person.id, { role: 'Developer' });
    const nobodys = '01890000-0000-7000-8000-000000000000';
    const foreign = anAgent(await furnished(other.api, 1)).id;
    for (const id of [anAgent(theirs).id, nobodys, foreign, 'x'])
      for (const method of ['GET', 'PATCH', 'DELETE'])
        expect({ id, ...(await refusal(knock(api, method, id))) }).toEqual({
          id,
          ...NOT_FOUND,
        });
  });

  it('reads what it gives to read, where it gives no more, and is told what is missing', async () => {
    const { person, api } = await member();
    await grant(acme.api, on(ours), person.id, { role: 'Viewer' });
    expect((await api.get(`/v1/agents/${anAgent(ours).id}`)).status).toBe(200);
    expect(await refusal(api.patch(`/v1/agents/${anAgent(ours).id}`, { name: 'x' }))).toEqual(DENIED);
    const body = { projectId: ours.project.id, name: 'x', definition };
    expect(await refusal(api.post('/v1/agents', body))).toEqual(DENIED);
  });

  it('fills the pages of lists with what it reaches, and nothing else', async () => {
    const { person, api } = await member();
    await grant(acme.api, on(theirs), person.id, { role: 'Viewer' });
    await grant(acme.api, `agents/${anAgent(ours).id}/`, person.id, { role: 'Viewer' });
    const expected = [...theirs.agents, anAgent(ours)].map(({ id }) => id).toSorted();
    expect(await idsIn(api, '/v1/agents')).toEqual(expected);
    expect(await idsIn(api, '/v1/agents', 1)).toEqual(expected);
    const page = await must(api.get<{ items: unknown[]; nextCursor?: string }>('/v1/agents?limit=2'), 200);
    expect(page.items).toHaveLength(2);
    expect(page.nextCursor).toBeDefined();
    expect(await idsIn(api, '/v1/projects')).toEqual([theirs.project.id]);
    expect(await idsIn(api, `/v1/agents?projectId=${ours.project.id}`)).toEqual([anAgent(ours).id]);
  });

  it('shows the runs of what it reaches, in lists, by id and as they happen', async () => {
    const inside = await publishedAgent(acme.api, { projectId: ours.project.id });
    const outside = await publishedAgent(acme.api, { projectId: theirs.project.id });
    const seen = await startRun(acme.api, inside.id);
    const unseen = await startRun(acme.api, outside.id);
    const { person, api } = await member();
    await grant(acme.api, on(ours), person.id, { role: 'Developer' });
    const runs = await idsIn(api, '/v1/runs');
    expect(runs).toContain(seen.id);
    expect(runs).not.toContain(unseen.id);
    expect((await api.get(`/v1/runs/${seen.id}`)).status).toBe(200);
    for (const path of [`runs/${unseen.id}`, `runs/${unseen.id}/events`])
      expect(await refusal(api.get(`/v1/${path}`))).toEqual(NOT_FOUND);
    expect(await refusal(api.post(`/v1/runs/${unseen.id}/cancel`))).toEqual(NOT_FOUND);
    const own = await startRun(api, inside.id);
    expect((await api.get(`/v1/runs/${own.id}`)).status).toBe(200);
    expect(await refusal(api.post(`/v1/agents/${outside.id}/runs`, { input: 'x' }))).toEqual(NOT_FOUND);
  });

  it('is over at once when it is revoked', async () => {
    const { person, api } = await member();
    const { id } = await grant(acme.api, on(ours), person.id, { role: 'Developer' });
    expect((await api.get(`/v1/agents/${anAgent(ours).id}`)).status).toBe(200);
    await must(acme.api.delete(`/v1/grants/${id}`), 204);
    const since = performance.now();
    for (;;) {
      const { status } = await api.get(`/v1/agents/${anAgent(ours).id}`);
      if (status === 403) break;
      expect(performance.now() - since).toBeLessThan(1_000);
    }
    expect(await refusal(acme.api.delete(`/v1/grants/${id}`))).toEqual(NOT_FOUND);
  });
});

describe('a role of the own making', () => {
  it('gives what it has, and what it was changed to', async () => {
    const { person, api } = await member();
    const role = await makeRole(acme.api, ['agent:read']);
    await grant(acme.api, '', person.id, { roleId: role.id });
    expect((await api.get(`/v1/agents/${anAgent(ours).id}`)).status).toBe(200);
    expect(await refusal(api.get('/v1/projects'))).toEqual(DENIED);
    await must(acme.api.patch(`/v1/roles/${role.id}`, { permissions: ['project:read'] }), 200);
    await eventually(
      async () => expect(await refusal(api.get(`/v1/agents/${anAgent(ours).id}`))).toEqual(DENIED),
      1_000,
    );
    expect((await api.get('/v1/projects')).status).toBe(200);
  });

  it('cannot have what an Owner alone has, what the operator has, or what there is not', async () => {
    for (const permission of ['organisation:export', 'tenant:create', 'agent:fly'])
      expect(
        await refusal(acme.api.post('/v1/roles', { name: uniqueName('role'), permissions: [permission] })),
      ).toEqual({ status: 400, code: 'INVALID_REQUEST' });
  });

  it('has a name of its own, also beside the default ones', async () => {
    const { name } = await makeRole(acme.api, ['agent:read']);
    const named = (to: string) => acme.api.post('/v1/roles', { name: to, permissions: ['agent:read'] });
    expect(await refusal(named(name))).toEqual({ status: 409, code: 'ROLE_NAME_TAKEN' });
    expect(await refusal(named('owner'))).toEqual({ status: 400, code: 'INVALID_REQUEST' });
    expect((await other.api.post('/v1/roles', { name, permissions: ['agent:read'] })).status).toBe(201);
  });

  it('stays while somebody holds it', async () => {
    const { person } = await member();
    const role = await makeRole(acme.api, ['agent:read']);
    const held = await grant(acme.api, '', person.id, { roleId: role.id });
    const inUse = { status: 409, code: 'ROLE_IN_USE' };
    expect(await refusal(acme.api.delete(`/v1/roles/${role.id}`))).toEqual(inUse);
    await must(acme.api.delete(`/v1/grants/${held.id}`), 204);
    expect((await acme.api.delete(`/v1/roles/${role.id}`)).status).toBe(204);
  });

  it('is granted in its own organisation only, to people of it, on what it has', async () => {
    const role = await makeRole(acme.api, ['agent:read']);
    const { person } = await member();
    const stranger = (await personOf(app, other, 'Viewer')).person;
    const to = (id: string, roleId: string) => ({ principal: { type: 'user', id }, roleId });
    const theirRole = await makeRole(other.api, ['agent:read']);
    expect(await refusal(acme.api.post('/v1/grants', to(person.id, theirRole.id)))).toEqual(NOT_FOUND);
    expect(await refusal(acme.api.post('/v1/grants', to(stranger.id, role.id)))).toEqual(NOT_FOUND);
    const foreign = `/v1/projects/${(await furnished(other.api, 0)).project.id}/grants`;
    expect(await refusal(acme.api.post(foreign, to(person.id, role.id)))).toEqual(NOT_FOUND);
    expect(await refusal(other.api.patch(`/v1/roles/${role.id}`, { name: 'x' }))).toEqual(NOT_FOUND);
  });
});

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

describe('a grant to a service account', () => {
  it('gives what it says within the scopes, until it is revoked or the account is gone', async () => {
    const machine = await createClient(acme.api, { role: 'Member', scopes: ['agent:write', 'grant:admin'] });
    const api = client(app.baseUrl, await tokenOf(app.baseUrl, machine));
    const change = () => api.patch(`/v1/agents/${anAgent(ours).id}`, { name: 'by machine' });
    expect(await refusal(change())).toEqual(DENIED);
    const principal = { type: 'service_account', id: machine.id };
    const path = `/v1/${on(ours)}grants`;
    const { id } = await must(acme.api.post<GrantDto>(path, { principal, role: 'Developer' }), 201);
    await eventually(async () => expect((await change()).status).toBe(200), 1_000);
    expect(await refusal(api.post(`/v1/agents/${anAgent(ours).id}/runs`, { input: 'x' }))).toEqual(DENIED);
    expect(await refusal(api.patch(`/v1/agents/${anAgent(theirs).id}`, { name: 'x' }))).toEqual(NOT_FOUND);
    await must(acme.api.delete(`/v1/grants/${id}`), 204);
    await eventually(async () => expect(await refusal(change())).toEqual(DENIED), 1_000);
    expect(await refusal(other.api.post('/v1/grants', { principal, role: 'Viewer' }))).toEqual(NOT_FOUND);
  });
});

describe('labels', () => {
  it('are set by who may say what something counts as, not by who may change it', async () => {
    const { api: developer } = await personOf(app, acme, 'Developer');
    const { id } = anAgent(theirs);
    const labels = { environment: 'production', tags: ['pii'] };
    expect(await refusal(developer.put(`/v1/agents/${id}/labels`, labels))).toEqual(DENIED);
    expect(await must(acme.api.put<AgentDto>(`/v1/agents/${id}/labels`, labels), 200)).toMatchObject(labels);
    expect(await must(developer.get<AgentDto>(`/v1/agents/${id}`), 200)).toMatchObject(labels);
    expect(await refusal(other.api.put(`/v1/agents/${id}/labels`, labels))).toEqual(NOT_FOUND);
  });

  it('are of small letters, few, and there', async () => {
    for (const labels of [
      {},
      { environment: 'Prod', tags: [] },
      { environment: '', tags: [] },
      { environment: null, tags: ['a', 'a'] },
      { environment: null, tags: Array.from({ length: 21 }, (_, at) => `t${at}`) },
      { environment: null, tags: 'x' },
    ])
      expect(await refusal(acme.api.put(`/v1/projects/${theirs.project.id}/labels`, labels))).toEqual({
        status: 400,
        code: 'INVALID_REQUEST',
      });
  });
});

it('what there is to grant is told to everybody in an organisation', async () => {
  const { api } = await member();
  const { roles, permissions } = await must(
    api.get<{ roles: { name: string; permissions: string[] }[]; permissions: { name: string }[] }>(
      '/v1/access/permissions',
    ),
    200,
  );
  expect(roles.map(({ name }) => name)).toEqual(['Member', 'Viewer', 'Developer', 'Admin', 'Owner']);
  expect(roles.at(-1)?.permissions.length).toBe(permissions.length);
});

describe('a grant to a group', () => {
  const groupOf = async (people: readonly string[], groups: readonly string[] = []): Promise<string> => {
    const { id } = await must(
      acme.api.post<{ id: string }>('/v1/groups', { displayName: uniqueName('g') }),
      201,
    );
    await putInto(acme.api, id, { addPeople: people, addGroups: groups });
    return id;
  };
  const putInto = (api: Client, id: string, body: object) =>
    must(api.patch(`/v1/groups/${id}/members`, body), 200);
  const grantGroup = (api: Client, where: string, id: string, role: string) =>
    api.post<GrantDto>(`/v1/${where}grants`, { principal: { type: 'group', id }, role });

  it('is held by who is in it, through other groups as well, and by nobody who has left', async () => {
    const { person, api } = await member();
    const inner = await groupOf([person.id]);
    const outer = await groupOf([], [inner]);
    await must(grantGroup(acme.api, on(ours), outer, 'Viewer'), 201);
    const path = `/v1/agents/${anAgent(ours).id}`;
    await eventually(async () => expect((await api.get(path)).status).toBe(200), 1_000);
    await putInto(acme.api, inner, { removePeople: [person.id] });
    await eventually(async () => expect((await api.get(path)).status).toBe(403), 1_000);
  });

  it('ends with its group', async () => {
    const { person, api } = await member();
    const group = await groupOf([person.id]);
    const { id } = await must(grantGroup(acme.api, on(ours), group, 'Viewer'), 201);
    await must(acme.api.delete(`/v1/groups/${group}`), 204);
    await eventually(
      async () => expect((await api.get(`/v1/projects/${ours.project.id}`)).status).toBe(403),
      1_000,
    );
    expect(await refusal(acme.api.delete(`/v1/grants/${id}`))).toEqual(NOT_FOUND);
  });

  it('is given to nobody by putting them in who could not have granted it, nor to oneself', async () => {
    const { person: manager, api } = await member();
    const role = await makeRole(acme.api, ['group:manage']);
    await grant(acme.api, '', manager.id, { roleId: role.id });
    const strong = await groupOf([]);
    await must(grantGroup(acme.api, on(ours), strong, 'Admin'), 201);
    const weak = await groupOf([]);
    await putInto(acme.api, strong, { addGroups: [weak] });
    const { person } = await member();
    for (const group of [strong, weak]) {
      const into = (id: string) => api.patch(`/v1/groups/${group}/members`, { addPeople: [id] });
      expect(await refusal(into(person.id))).toEqual(EXCEEDS);
      expect(await refusal(into(manager.id))).toEqual({ status: 403, code: 'GRANT_TO_SELF' });
      const nested = (id: string) => refusal(api.patch(`/v1/groups/${group}/members`, { addGroups: [id] }));
      expect(await nested(await groupOf([person.id]))).toEqual(EXCEEDS);
      expect(await nested(await groupOf([manager.id]))).toEqual({ status: 403, code: 'GRANT_TO_SELF' });
    }
    expect(
      (await api.patch(`/v1/groups/${await groupOf([])}/members`, { addPeople: [person.id] })).status,
    ).toBe(200);
  });

  it('is of groups of the own organisation, and of no Owner', async () => {
    const { id } = await must(
      other.api.post<{ id: string }>('/v1/groups', { displayName: uniqueName('g') }),
      201,
    );
    expect(await refusal(grantGroup(acme.api, '', id, 'Viewer') as never)).toEqual(NOT_FOUND);
    const own = await groupOf([]);
    expect(await refusal(grantGroup(acme.api, '', own, 'Owner') as never)).toEqual({
      status: 400,
      code: 'INVALID_REQUEST',
    });
  });
});
