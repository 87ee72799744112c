import { beforeAll, describe, expect, it } from 'vitest';
import type { ApiKeyDto, CreatedApiKeyDto } from '../../src/auth/auth.dto.js';
import type { ClientDto } from '../../src/oauth/clients.dto.js';
import type { ExplanationDto } from '../../src/policies/explain.dto.js';
import { furnished, idsIn, type Furnished } from '../support/access.js';
import { createAgent, createProject, publishedAgent, startRun } from '../support/agents.js';
import { client, must, refusal, type Client } from '../support/client.js';
import { createClient, tokenOf } from '../support/oauth.js';
import { sharedApplication } from '../support/shared-application.js';
import { createTenant, signIn, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const DENIED = { status: 403, code: 'PERMISSION_DENIED' };
const HIDDEN = { status: 404, code: 'NOT_FOUND' };
let acme: TestTenant;
let other: TestTenant;
let owner: Client;
let inside: Furnished;
let outside: Furnished;
let foreign: Furnished;
let runs: { readonly inside: string; readonly outside: string };
const everything = (): Record<string, string[]> => ({
  projects: [inside, outside, foreign].map(({ project }) => project.id),
  agents: [inside, outside, foreign].flatMap(({ agents }) => agents.map(({ id }) => id)),
  runs: Object.values(runs),
});

beforeAll(async () => {
  [acme, other] = [await createTenant(app), await createTenant(app)];
  owner = client(app.baseUrl, (await signIn(app, acme.slug, acme.owner)).accessToken);
  [inside, outside] = [await furnished(acme.api, 1), await furnished(acme.api, 1)];
  foreign = await furnished(other.api, 1);
  const [ours, theirs] = await Promise.all(
    [inside, outside].map(({ project }) => publishedAgent(acme.api, { projectId: project.id })),
  );
  const started = await Promise.all([ours, theirs].map((agent) => startRun(acme.api, agent?.id ?? '')));
  runs = { inside: started[0]?.id ?? '', outside: started[1]?.id ?? '' };
  inside = { ...inside, agents: [...inside.agents, ...(ours ? [ours] : [])] };
  outside = { ...outside, agents: [...outside.agents, ...(theirs ? [theirs] : [])] };
});

const makeKey = (body: object = {}): Promise<CreatedApiKeyDto> =>
  must(
    owner.post<CreatedApiKeyDto>('/v1/api-keys', {
      name: 'x',
      scopes: ['*:admin'],
      projects: [inside.project.id],
      ...body,
    }),
    201,
  );

describe.each([
  ['an API key', async () => (await makeKey()).key],
  [
    'a client of OAuth',
    async () =>
      tokenOf(app.baseUrl, await createClient(owner, { role: 'Owner', projects: [inside.project.id] })),
  ],
])('%s that is for one project', (_what, credential) => {
  let api: Client;
  beforeAll(async () => {
    api = client(app.baseUrl, await credential());
  });

  it('lists what is in that project, which is exactly what it is answered one by one', async () => {
    for (const [path, ids] of Object.entries(everything())) {
      const answered = await Promise.all(ids.map((id) => refusal(api.get(`/v1/${path}/${id}`))));
      const served = ids.filter((_id, at) => answered[at]?.status === 200);
      expect((await idsIn(api, `/v1/${path}`)).toSorted()).toEqual(served.toSorted());
      expect(served.length).toBeGreaterThan(0);
      for (const answer of answered.filter(({ status }) => status !== 200)) expect(answer).toEqual(HIDDEN);
    }
  });

  it('writes in that project alone', async () => {
    const made = await createAgent(api, { projectId: inside.project.id });
    expect((await api.delete(`/v1/agents/${made.id}`)).status).toBe(204);
    const definition = { instructions: 'x', model: { provider: 'demo', name: 'demo' } };
    for (const { project, agents } of [outside, foreign]) {
      const body = { name: 'x', projectId: project.id, definition };
      expect(await refusal(api.post('/v1/agents', body))).toEqual(HIDDEN);
      expect(await refusal(api.post(`/v1/agents/${agents[0]?.id}/runs`, { input: 'x' }))).toEqual(HIDDEN);
      expect(await refusal(api.delete(`/v1/agents/${agents[0]?.id}`))).toEqual(HIDDEN);
    }
  });

  it('neither reads nor writes what is no part of a project, keys, clients and people among it', async () => {
    const paths = ['users', 'audit/events', 'api-keys', 'oauth-clients', 'roles', 'groups', 'me'];
    for (const path of paths)
      expect({ path, ...(await refusal(api.get(`/v1/${path}`))) }).toEqual({ path, ...DENIED });
    expect(await refusal(api.post('/v1/projects', { name: 'x' }))).toEqual(DENIED);
    for (const body of [{ name: 'x', scopes: ['agent:read'] }, {}])
      expect(await refusal(api.post('/v1/api-keys', body))).toEqual(DENIED);
  });
});

it('the projects of a key are kept when it is rotated, and shown in lists', async () => {
  const former = await makeKey();
  const rotated = await must(owner.post<ApiKeyDto>(`/v1/api-keys/${former.id}/rotate`, {}), 201);
  const listed = await owner.all<ApiKeyDto>('/v1/api-keys');
  const shown = listed.filter(({ id }) => id === former.id || id === rotated.id);
  expect(shown.map(({ projects }) => projects)).toEqual([[inside.project.id], [inside.project.id]]);
});

it('the projects of a client change, and its tokens of before are dead', async () => {
  const made = await createClient(owner, { role: 'Owner', projects: [inside.project.id] });
  const before = client(app.baseUrl, await tokenOf(app.baseUrl, made));
  expect((await before.get('/v1/projects')).status).toBe(200);
  const changed = await must(
    owner.patch<ClientDto>(`/v1/oauth-clients/${made.id}`, { projects: [outside.project.id] }),
    200,
  );
  expect(changed.projects).toEqual([outside.project.id]);
  expect((await before.get('/v1/projects')).status).toBe(401);
  const after = client(app.baseUrl, await tokenOf(app.baseUrl, made));
  expect(await idsIn(after, '/v1/projects')).toEqual([outside.project.id]);
});

it('the policy that keeps a key or client in its projects is named, and an explanation of them names it', async () => {
  const key = await makeKey();
  const machine = await createClient(owner, { role: 'Owner', projects: [inside.project.id] });
  const refused = await refusal(client(app.baseUrl, key.key).get('/v1/users'));
  expect(refused).toEqual(DENIED);
  for (const who of [{ apiKeyId: key.id }, { clientId: machine.id }]) {
    const explain = (asked: object, api = owner) =>
      api.post<ExplanationDto>('/v1/access/explain', { permission: 'agent:read', ...who, ...asked });
    const about = (id: string) => ({ resource: { type: 'project', id } });
    expect((await must(explain(about(inside.project.id)), 200)).allowed).toBe(true);
    for (const asked of [about(outside.project.id), {}])
      expect(await must(explain(asked), 200)).toMatchObject({
        allowed: false,
        policies: ['within-projects'],
      });
    expect(await refusal(explain({}, other.api))).toEqual(HIDDEN);
    expect((await refusal(explain({ userId: acme.owner.id }))).status).toBe(400);
  }
});

it.each([
  ['none', () => []],
  ['one that is not there', () => ['01890000-0000-7000-8000-000000000000']],
  ['one of another organisation', () => [foreign.project.id]],
  ['one twice', () => [inside.project.id, inside.project.id]],
  ['what is no id', () => ['x']],
  [
    'more than fifty',
    () => Array.from({ length: 51 }, (_, at) => `01890000-0000-7000-8000-${String(at).padStart(12, '0')}`),
  ],
  ['what is no list', () => inside.project.id],
])('a key or client is not made for %s', async (_what, projects) => {
  const scopes = ['agent:read'];
  const body = { name: 'x', scopes, projects: projects() };
  expect((await owner.post('/v1/api-keys', body)).status).toBe(400);
  expect((await owner.post('/v1/oauth-clients', { ...body, role: 'Viewer' })).status).toBe(400);
});

it('a key for another project is for that one', async () => {
  const project = await createProject(acme.api);
  const key = await makeKey({ projects: [project.id, outside.project.id] });
  expect((await idsIn(client(app.baseUrl, key.key), '/v1/projects')).toSorted()).toEqual(
    [project.id, outside.project.id].toSorted(),
  );
});
