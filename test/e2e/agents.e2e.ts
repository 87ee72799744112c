import type { AgentDto, ProjectDto } from '../../src/agents/agents.dto.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { createAgent, createProject, publishedAgent, runIn, startRun } from '../support/agents.js';
import { sharedApplication } from '../support/shared-application.js';
import { must, refusal, type Page } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { createTenant, uniqueName, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
let acme: TestTenant;
let other: TestTenant;

beforeAll(async () => {
  acme = await createTenant(app);
  other = await createTenant(app);
});

const NOT_FOUND = { status: 404, code: 'NOT_FOUND' };
const MISMATCH = { status: 412, code: 'VERSION_MISMATCH' };

describe('an agent', () => {
  it('is a draft with the limits filled in, and is read as it was answered', async () => {
    const created = await createAgent(acme.api, { name: 'Reader' });
    expect(created).toMatchObject({
      name: 'Reader',
      status: 'draft',
      version: 1,
      definition: { limits: { maxModelCalls: 16, timeoutSeconds: 300 } },
    });
    const { body, headers } = await acme.api.get<AgentDto>(`/v1/agents/${created.id}`);
    expect([body, headers.get('etag')]).toEqual([created, '"1"']);
  });

  it('cannot run before it is published', async () => {
    const { id } = await createAgent(acme.api);
    const answer = acme.api.post(`/v1/agents/${id}/runs`, { input: 'x' });
    expect(await refusal(answer)).toEqual({ status: 409, code: 'AGENT_NOT_PUBLISHED' });
  });

  it('runs as it was published, whatever its draft has become', async () => {
    const agent = await publishedAgent(acme.api);
    expect(agent).toMatchObject({ status: 'published', publishedVersion: 1, version: 2 });
    const definition = { instructions: 'Fail.', model: { provider: 'demo', name: 'demo-fail' } };
    await must(acme.api.patch(`/v1/agents/${agent.id}`, { definition }), 200);
    const first = await startRun(acme.api, agent.id);
    expect(first.agentVersion).toBe(1);
    expect((await runIn(acme.api, first.id)).status).toBe('COMPLETED');
    await must(acme.api.post(`/v1/agents/${agent.id}/publish`), 200);
    const second = await startRun(acme.api, agent.id);
    expect(second.agentVersion).toBe(2);
    expect((await runIn(acme.api, second.id)).status).toBe('FAILED');
  });

  it('has published versions that the application itself may not change', async () => {
    const agent = await publishedAgent(acme.api);
    const change = asSuperuser(app.home, 'us-east-1', async (database) => {
      await database.query(`BEGIN; SET LOCAL ROLE "${acme.id}"; SET LOCAL search_path = "${acme.id}"`);
      await database.query(`UPDATE agent_versions SET number = 7 WHERE agent_id = '${agent.id}'`);
    });
    await expect(change).rejects.toThrow('permission denied for table agent_versions');
  });

  it('is changed field by field; what is left out stays', async () => {
    const agent = await createAgent(acme.api, { name: 'Before' });
    const path = `/v1/agents/${agent.id}`;
    const changed = await must(acme.api.patch<AgentDto>(path, { description: 'Described.' }), 200);
    expect(changed).toMatchObject({
      name: 'Before',
      description: 'Described.',
      definition: agent.definition,
    });
  });

  it('is changed, published and deleted only at the version that If-Match names', async () => {
    const { id } = await createAgent(acme.api);
    const path = `/v1/agents/${id}`;
    await must(acme.api.patch(path, { name: 'second' }, { 'if-match': '"1"' }), 200);
    const stale = { 'if-match': '"1"' };
    expect(await refusal(acme.api.patch(path, { name: 'third' }, stale))).toEqual(MISMATCH);
    expect(await refusal(acme.api.post(`${path}/publish`, undefined, stale))).toEqual(MISMATCH);
    expect(await refusal(acme.api.delete(path, stale))).toEqual(MISMATCH);
    expect((await acme.api.post(`${path}/publish`, undefined, { 'if-match': '*' })).status).toBe(200);
  });

  it('loses no change to another that was made at the same time', async () => {
    const { id } = await createAgent(acme.api);
    const rename = (name: string) => acme.api.patch(`/v1/agents/${id}`, { name }, { 'if-match': '"1"' });
    const answers = await Promise.all(['a', 'b', 'c', 'd'].map(rename));
    expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, 412, 412, 412]);
  });

  it('is published under different numbers when that is asked for twice at once', async () => {
    const { id } = await createAgent(acme.api);
    const publish = () => must(acme.api.post<AgentDto>(`/v1/agents/${id}/publish`), 200);
    const published = await Promise.all([publish(), publish(), publish()]);
    expect(published.map(({ publishedVersion = 0 }) => publishedVersion).sort((a, b) => a - b)).toEqual([
      1, 2, 3,
    ]);
  });

  it('is gone once deleted, and its runs stay', async () => {
    const agent = await publishedAgent(acme.api, { apiKeys: { openai: 'sk-gone' } });
    const run = await runIn(acme.api, (await startRun(acme.api, agent.id)).id);
    const path = `/v1/agents/${agent.id}`;
    expect((await acme.api.delete(path)).status).toBe(204);
    for (const answer of [acme.api.get(path), acme.api.delete(path), acme.api.patch(path, { name: 'x' })])
      expect(await refusal(answer)).toEqual(NOT_FOUND);
    expect(await refusal(acme.api.post(`${path}/runs`, { input: 'x' }))).toEqual(NOT_FOUND);
    expect((await acme.api.get(`/v1/runs/${run.id}`)).body).toEqual(run);
    expect((await acme.api.all<AgentDto>('/v1/agents')).some(({ id }) => id === agent.id)).toBe(false);
  });

  it('keeps the keys that it was given, and answers them nowhere', async () => {
    const apiKeys = { openai: 'sk-canary-openai', anthropic: 'sk-canary-anthropic' };
    const agent = await createAgent(acme.api, { apiKeys });
    expect([...agent.apiKeyProviders].sort()).toEqual(['anthropic', 'openai']);
    const path = `/v1/agents/${agent.id}`;
    const answers = [
      agent,
      (await acme.api.get(path)).body,
      (await acme.api.patch(path, { name: 'renamed' })).body,
      (await acme.api.post(`${path}/publish`)).body,
      await acme.api.all('/v1/agents'),
      await acme.api.all('/v1/audit/events'),
    ];
    expect(JSON.stringify(answers)).not.toContain('canary');
    const removed = await must(acme.api.patch<AgentDto>(path, { apiKeys: null }), 200);
    expect(removed.apiKeyProviders).toEqual([]);
  });
});

describe('a list', () => {
  it('is complete and without repetition, page by page, while others add to it', async () => {
    const tenant = await createTenant(app);
    const made: string[] = [];
    for (let n = 0; n < 23; n += 1) made.push((await createProject(tenant.api, `p${n}`)).id);
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const from = cursor === undefined ? '' : `&cursor=${cursor}`;
      const page = await must(tenant.api.get<Page<ProjectDto>>(`/v1/projects?limit=5${from}`), 200);
      expect(page.items.length).toBeLessThanOrEqual(5);
      seen.push(...page.items.map(({ id }) => id));
      cursor = page.nextCursor;
      await createProject(tenant.api, uniqueName('late'));
    } while (cursor !== undefined);
    expect(seen.slice(0, 23)).toEqual(made);
    expect(new Set(seen).size).toBe(seen.length);
    const exact = await must(tenant.api.get<Page<ProjectDto>>(`/v1/projects?limit=${seen.length + 1}`), 200);
    expect(exact.nextCursor).toBeUndefined();
  });

  it('of agents can be limited to a project, and a cursor of another tenant shows nothing of it', async () => {
    const project = await createProject(acme.api);
    const inside = await createAgent(acme.api, { projectId: project.id });
    await createAgent(acme.api);
    const listed = await acme.api.all<AgentDto>(`/v1/agents?projectId=${project.id}`);
    expect(listed.map(({ id }) => id)).toEqual([inside.id]);
    const page = await must(acme.api.get<Page<AgentDto>>('/v1/agents?limit=1'), 200);
    const elsewhere = await must(other.api.get<Page<AgentDto>>(`/v1/agents?cursor=${page.nextCursor}`), 200);
    expect(elsewhere.items).toEqual([]);
  });
});
