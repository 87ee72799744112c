import { beforeAll, describe, expect, it } from 'vitest';
import type { AgentDto } from '../../src/agents/agents.dto.js';
import type { Problem } from '../../src/platform/http/problem.js';
import type { GrantDto } from '../../src/roles/grants.dto.js';
import {
  anAgent,
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
import { createTenant, uniqueName, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const DENIED = { status: 403, code: 'PERMISSION_DENIED' };
const NOT_FOUND = { status: 404, code: 'NOT_FOUND' };
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
