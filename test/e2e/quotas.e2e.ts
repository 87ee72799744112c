import type { OrganisationDto } from '../../src/organisations/organisations.dto.js';
import type { UsageReportDto } from '../../src/organisations/lifecycle.dto.js';
import type { Problem } from '../../src/platform/http/problem.js';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createAgent, createProject, publishedAgent } from '../support/agents.js';
import { sharedApplication } from '../support/shared-application.js';
import { client, must, type Answer } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { eventually } from '../support/eventually.js';
import { verified } from '../support/log-book.js';
import { createPerson, createTenant, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const operator = client(app.baseUrl, app.firstRun.operatorKey);
let acme: TestTenant;
let neighbour: TestTenant;

beforeAll(async () => {
  neighbour = await createTenant(app);
});
beforeEach(async () => {
  acme = await createTenant(app);
});

const DEFAULTS = { users: 1_000, agents: 2_000, runsPerDay: 50_000, storageBytes: 53_687_091_200 };
const usage = (id: string) => must(operator.get<UsageReportDto>(`/v1/tenants/${id}/usage`), 200);

/** Sets quotas, and waits until the process has heard of it. */
async function limit(id: string, quotas: Record<string, number | null>): Promise<OrganisationDto> {
  const { version } = await must(operator.get<OrganisationDto>(`/v1/tenants/${id}`), 200);
  const headers = { 'if-match': `"${version}"` };
  const changed = await must(operator.patch<OrganisationDto>(`/v1/tenants/${id}`, { quotas }, headers), 200);
  await new Promise((resolve) => setTimeout(resolve, 200));
  return changed;
}

function tally(answers: readonly Answer<unknown>[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

async function tamper(id: string, sql: string): Promise<void> {
  await asSuperuser(app.home, 'us-east-1', (database) =>
    database.query(sql.replaceAll('{usage}', `"${id}".quota_usage`)),
  );
}

describe('a quota', () => {
  it('of agents holds against 50 that are created at once; deleting one makes room for one', async () => {
    const project = await createProject(acme.api);
    await limit(acme.id, { agents: 7 });
    const definition = { instructions: 'x', model: { provider: 'demo', name: 'demo' } };
    const ask = () =>
      acme.api.post<Problem & { id: string }>('/v1/agents', { projectId: project.id, name: 'a', definition });
    const answers = await Promise.all(Array.from({ length: 50 }, ask));
    expect(tally(answers)).toEqual({ 201: 7, 422: 43 });
    const refused = answers.find(({ status }) => status === 422);
    expect(refused?.body).toMatchObject({ code: 'QUOTA_EXCEEDED', quota: { name: 'agents', limit: 7 } });
    expect(refused?.body.detail).toContain('"agents" of 7');
    const agents = await acme.api.all<{ id: string }>('/v1/agents');
    expect(agents).toHaveLength(7);
    expect((await acme.api.delete(`/v1/agents/${agents[0]?.id}`)).status).toBe(204);
    expect(tally(await Promise.all([ask(), ask(), ask()]))).toEqual({ 201: 1, 422: 2 });
    expect((await usage(acme.id)).agents).toEqual({ limit: 7, used: 7 });
    await createAgent(neighbour.api);
    await verified(acme.api);
  });

  it('of runs holds against 50 that are begun at once, says when it begins anew, and does so', async () => {
    const agent = await publishedAgent(acme.api);
    await limit(acme.id, { runsPerDay: 9 });
    const ask = () => acme.api.post(`/v1/agents/${agent.id}/runs`, { input: 'x' });
    const answers = await Promise.all(Array.from({ length: 50 }, ask));
    expect(tally(answers)).toEqual({ 202: 9, 429: 41 });
    const tomorrow = new Date();
    tomorrow.setUTCHours(24, 0, 0, 0);
    expect(answers.find(({ status }) => status === 429)?.body.quota).toEqual({
      name: 'runsPerDay',
      limit: 9,
      resetsAt: tomorrow.toISOString(),
    });
    expect(await acme.api.all('/v1/runs')).toHaveLength(9);
    expect((await usage(acme.id)).runsPerDay).toEqual({
      limit: 9,
      used: 9,
      resetsAt: tomorrow.toISOString(),
    });
    await tamper(acme.id, `UPDATE {usage} SET day = day - 1 WHERE quota = 'runsPerDay'`);
    expect((await usage(acme.id)).runsPerDay).toMatchObject({ used: 0 });
    expect(tally(await Promise.all(Array.from({ length: 20 }, ask)))).toEqual({ 202: 9, 429: 11 });
    await verified(acme.api);
  });

  it('of people counts who is active: one more is refused, disabling makes room, enabling takes it', async () => {
    await limit(acme.id, { users: 3 });
    const person = await createPerson(acme.api, 'Viewer');
    const add = (at: number) =>
      acme.api.post('/v1/users', {
        email: `p${at}@people.example`,
        password: 'a long password 123',
        role: 'Viewer',
      });
    expect(tally(await Promise.all([1, 2, 3, 4].map(add)))).toEqual({ 201: 1, 422: 3 });
    const set = (status: string) => acme.api.patch(`/v1/users/${person.id}`, { status });
    expect((await set('disabled')).status).toBe(200);
    expect((await add(5)).status).toBe(201);
    expect((await set('active')).body).toMatchObject({
      code: 'QUOTA_EXCEEDED',
      quota: { name: 'users', limit: 3 },
    });
    expect((await usage(acme.id)).users).toEqual({ limit: 3, used: 3 });
  });

  it('of storage, once it is measured to be used up, refuses what would add, and lets read and delete', async () => {
    const agent = await publishedAgent(acme.api);
    await tamper(
      acme.id,
      `INSERT INTO {usage} (quota, used, measured_at) VALUES ('storageBytes', 1000000, now())
       ON CONFLICT (quota) DO UPDATE SET used = EXCLUDED.used, measured_at = EXCLUDED.measured_at`,
    );
    await limit(acme.id, { storageBytes: 1_000_000 });
    const refused = await acme.api.post(`/v1/agents/${agent.id}/runs`, { input: 'x' });
    expect(refused).toMatchObject({
      status: 422,
      body: { quota: { name: 'storageBytes', limit: 1_000_000 } },
    });
    expect((await acme.api.get(`/v1/agents/${agent.id}`)).status).toBe(200);
    expect((await acme.api.delete(`/v1/agents/${agent.id}`)).status).toBe(204);
  });

  it('of nothing lets nothing be added', async () => {
    await limit(acme.id, { agents: 0, runsPerDay: 0 });
    const project = await createProject(acme.api);
    const definition = { instructions: 'x', model: { provider: 'demo', name: 'demo' } };
    const answer = acme.api.post('/v1/agents', { projectId: project.id, name: 'a', definition });
    expect((await answer).status).toBe(422);
  });

  it('is by default what the handbook says, and again when the operator takes theirs back', async () => {
    const limits = async () =>
      Object.fromEntries(
        Object.entries(await usage(acme.id)).map(([name, { limit: of }]) => [name, of as number]),
      );
    expect(await limits()).toEqual(DEFAULTS);
    await limit(acme.id, { users: 5, agents: 6 });
    await limit(acme.id, { users: null });
    expect(await limits()).toEqual({ ...DEFAULTS, agents: 6 });
    expect((await usage(neighbour.id)).agents.limit).toBe(DEFAULTS.agents);
  });

  it.each([{ users: -1 }, { users: 1.5 }, { users: '5' }, { users: 1e300 }, { people: 5 }, 7, [[]], 'x'])(
    'is no %j',
    async (quotas) => {
      const headers = { 'if-match': '"1"' };
      const answer = await operator.patch(`/v1/tenants/${acme.id}`, { quotas }, headers);
      expect([answer.status, answer.body.code]).toEqual([400, 'INVALID_REQUEST']);
      await eventually(async () => expect((await usage(acme.id)).users.limit).toBe(DEFAULTS.users), 100);
    },
  );
});
