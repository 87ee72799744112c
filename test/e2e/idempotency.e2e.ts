import type { AgentDto, ProjectDto } from '../../src/agents/agents.dto.js';
import type { CreatedApiKeyDto } from '../../src/auth/auth.dto.js';
import type { RunDto } from '../../src/runs/runs.dto.js';
import { randomUUID } from 'node:crypto';
import { beforeAll, expect, it } from 'vitest';
import { createAgent, publishedAgent } from '../support/agents.js';
import { sharedApplication } from '../support/shared-application.js';
import { client, must, refusal } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { createApiKey, createTenant, uniqueName, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
let acme: TestTenant;
let other: TestTenant;

beforeAll(async () => {
  acme = await createTenant(app);
  other = await createTenant(app);
});

function once(): Record<string, string> {
  return { 'idempotency-key': randomUUID() };
}

interface Event {
  readonly action: string;
  readonly changes?: Record<string, unknown>;
  readonly resource?: { id: string };
}

it('gives a repeated request the first response again, and does nothing', async () => {
  const key = once();
  const body = { name: uniqueName('once') };
  const first = await acme.api.post<ProjectDto>('/v1/projects', body, key);
  const second = await acme.api.post<ProjectDto>('/v1/projects', body, key);
  expect([second.status, second.body]).toEqual([first.status, first.body]);
  expect(first.headers.get('idempotency-replayed')).toBeNull();
  expect(second.headers.get('idempotency-replayed')).toBe('true');
  const projects = await acme.api.all<ProjectDto>('/v1/projects');
  expect(projects.filter(({ name }) => name === body.name)).toHaveLength(1);
});

it('tells the repetition from the creation in the log', async () => {
  const key = once();
  const body = { name: uniqueName('logged') };
  const { id } = await must(acme.api.post<ProjectDto>('/v1/projects', body, key), 201);
  await must(acme.api.post<ProjectDto>('/v1/projects', body, key), 201);
  const events = await acme.api.all<Event>('/v1/audit/events?action=project.created');
  const [repetition, creation] = events;
  expect(creation?.resource?.id).toBe(id);
  expect(repetition?.resource).toBeUndefined();
  expect(repetition?.changes).toEqual({ replayed: true });
});

it('keeps status and secrets of the response, for those who lost the first one', async () => {
  const key = once();
  const body = { name: 'lost', scopes: ['agent:read'] };
  const first = await must(acme.api.post<CreatedApiKeyDto>('/v1/api-keys', body, key), 201);
  const second = await must(acme.api.post<CreatedApiKeyDto>('/v1/api-keys', body, key), 201);
  expect(second.key).toBe(first.key);
  const stored = await asSuperuser(app.home, 'us-east-1', (database) =>
    database.query<{ response: Buffer }>(`SELECT response FROM "${acme.id}".idempotency_keys`),
  );
  for (const { response } of stored.rows) expect(response.includes(first.key)).toBe(false);
});

it('refuses the same key for a different request', async () => {
  const key = once();
  await must(acme.api.post('/v1/projects', { name: 'one' }, key), 201);
  const reused = { status: 422, code: 'IDEMPOTENCY_KEY_REUSED' };
  expect(await refusal(acme.api.post('/v1/projects', { name: 'two' }, key))).toEqual(reused);
  expect(await refusal(acme.api.post('/v1/projects', { name: 'one', description: '' }, key))).toEqual(reused);
});

it('means each path and each caller on its own', async () => {
  const key = once();
  const body = { name: uniqueName('mine') };
  const second = client(app.baseUrl, (await createApiKey(acme.api, ['*:admin'])).key);
  const created = [
    await must(acme.api.post<ProjectDto>('/v1/projects', body, key), 201),
    await must(second.post<ProjectDto>('/v1/projects', body, key), 201),
    await must(other.api.post<ProjectDto>('/v1/projects', body, key), 201),
  ];
  expect(new Set(created.map(({ id }) => id)).size).toBe(3);
  const agents = await Promise.all([createAgent(acme.api), createAgent(acme.api)]);
  for (const { id } of agents) {
    const { publishedVersion } = await must(
      acme.api.post<AgentDto>(`/v1/agents/${id}/publish`, undefined, key),
      200,
    );
    expect(publishedVersion).toBe(1);
  }
});

it('creates one of many that come at the same time', async () => {
  for (let round = 0; round < 5; round += 1) {
    const key = once();
    const body = { name: uniqueName('race') };
    const ask = () => acme.api.post<ProjectDto>('/v1/projects', body, key);
    const answers = await Promise.all(Array.from({ length: 6 }, ask));
    expect(answers.every(({ status }) => status === 201 || status === 409)).toBe(true);
    const again = await must(ask(), 201);
    const winners = answers.filter(({ status }) => status === 201).map(({ body }) => body.id);
    expect(new Set([...winners, again.id]).size).toBe(1);
    const projects = await acme.api.all<ProjectDto>('/v1/projects');
    expect(projects.filter(({ name }) => name === body.name)).toHaveLength(1);
  }
});

it('starts a run once', async () => {
  const agent = await publishedAgent(acme.api);
  const key = once();
  const start = () => must(acme.api.post<RunDto>(`/v1/agents/${agent.id}/runs`, { input: 'x' }, key), 202);
  expect((await start()).id).toBe((await start()).id);
  expect(await acme.api.all(`/v1/runs?agentId=${agent.id}`)).toHaveLength(1);
});

it('keeps nothing of a request that failed: it may be repeated, corrected or not', async () => {
  const key = once();
  expect((await refusal(acme.api.post('/v1/projects', { name: '' }, key))).status).toBe(400);
  await must(acme.api.post('/v1/projects', { name: 'corrected' }, key), 201);
});

it('is forgotten after a day', async () => {
  const key = once();
  const body = { name: uniqueName('day') };
  const first = await must(acme.api.post<ProjectDto>('/v1/projects', body, key), 201);
  await asSuperuser(app.home, 'us-east-1', (database) =>
    database.query(`UPDATE "${acme.id}".idempotency_keys SET created_at = now() - interval '25 hours'`),
  );
  const next = await must(acme.api.post<ProjectDto>('/v1/projects', body, key), 201);
  expect(next.id).not.toBe(first.id);
});

it('refuses a key that is too long, rather than cutting it', async () => {
  const long = { 'idempotency-key': 'x'.repeat(256) };
  expect((await refusal(acme.api.post('/v1/projects', { name: 'x' }, long))).status).toBe(400);
});
