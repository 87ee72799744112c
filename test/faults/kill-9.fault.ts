import { setTimeout as sleep } from 'node:timers/promises';
import { TERMINAL_RUN_STATUSES } from '@waxell/sdk';
import type { OrganisationDto } from '../../src/organisations/organisations.dto.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { publishedAgent, readRun, runIn, startRun } from '../support/agents.js';
import { startApplication, type Application } from '../support/application.js';
import { client, must } from '../support/client.js';
import { asSuperuser, REGIONS, type Region } from '../support/embedded-database.js';
import { eventually } from '../support/eventually.js';
import { discrepancies, readBooks, verified } from '../support/log-book.js';
import { OperatorOf, told } from '../support/organisations.js';
import { createTenant, signIn, type TestTenant } from '../support/tenants.js';
import { Traffic } from '../support/traffic.js';

let app: Application;
let american: TestTenant;
let european: TestTenant;
const agents = new Map<TestTenant, { quick: string; slow: string }>();
const rounds: Traffic[] = [];

beforeAll(async () => {
  app = await startApplication();
  american = await createTenant(app, { region: 'us-east-1' });
  european = await createTenant(app, { region: 'eu-west-1' });
  for (const tenant of [american, european]) {
    const quick = (await publishedAgent(tenant.api)).id;
    const slow = (await publishedAgent(tenant.api, { model: { name: 'demo-slow' } })).id;
    agents.set(tenant, { quick, slow });
  }
});
afterAll(() => app.dispose());

function agentsOf(tenant: TestTenant): { quick: string; slow: string } {
  const known = agents.get(tenant);
  if (!known) throw new Error('This tenant has no agents.');
  return known;
}

async function killedRound(afterMs: number): Promise<void> {
  const traffic = new Traffic();
  rounds.push(traffic);
  for (const tenant of [american, european]) {
    traffic.build(tenant.api);
    traffic.run(tenant.api, agentsOf(tenant).quick, 10);
  }
  traffic.run(american.api, agentsOf(american).slow, 400);
  traffic.found(client(app.baseUrl, app.firstRun.operatorKey));
  await sleep(afterMs);
  // However slow the machine is: there is something that was answered, and more is under way.
  await eventually(async () => expect(traffic.answered.projects.length).toBeGreaterThan(1), 30_000);
  await app.kill9();
  await traffic.stop();
  // How fast is told by test/integration/embedded-postgres.int.ts; here it is one of several that the machine is busy with.
  await eventually(async () => expect(await app.processesOnHome()).toEqual([]), 30_000);
  await app.start();
}

/** Schemas that a region's database has, without the installation's own and those that are nobody's yet. */
async function schemasIn(region: Region): Promise<string[]> {
  return asSuperuser(app.home, region, async (database) => {
    const { rows } = await database.query<{ name: string }>(
      `SELECT nspname AS name FROM pg_namespace WHERE nspname ~ '^t_' AND nspname <> 't_0000000000000000'
         AND nspname NOT IN (SELECT schema FROM migrations.spares WHERE claimed_at IS NULL) ORDER BY 1`,
    );
    return rows.map(({ name }) => name);
  });
}

describe('a process that is killed in the middle of everything, again and again', () => {
  // At random, so that no two test runs die at the same statement; printed, so that a failure can be understood.
  const moments = Array.from({ length: 3 }, () => 400 + Math.floor(Math.random() * 1_500));

  it(`starts again each time, and leaves no PostgreSQL behind (killed after ${moments.join(', ')} ms)`, async () => {
    for (const moment of moments) await killedRound(moment);
    expect(rounds.flatMap(({ answered }) => answered.projects).length).toBeGreaterThan(rounds.length);
  });

  it('has everything that it answered', async () => {
    const books = await Promise.all([american, european].map(({ api }) => readBooks(api)));
    const ids = new Set(
      books.flatMap(({ projects, agents, runs }) => [...projects, ...agents, ...runs]).map(({ id }) => id),
    );
    for (const { answered } of rounds)
      for (const id of [...answered.projects, ...answered.agents, ...answered.runs])
        expect(ids).toContain(id);
  });

  it('brings every run to its end, without making a finished call twice', async () => {
    for (const { api } of [american, european]) {
      const { runs } = await readBooks(api);
      const cancelling = new Set(rounds.flatMap(({ answered }) => answered.cancelling));
      for (const { id } of runs) {
        const run = await runIn(api, id, TERMINAL_RUN_STATUSES, 45_000);
        expect(run).not.toMatchObject({ status: 'FAILED' });
        expect(run.status === 'COMPLETED' || cancelling.has(id)).toBe(true);
        const events: string[] = [];
        let last = 0;
        for await (const event of api.events(`/v1/runs/${id}/events`)) {
          expect(event.id).toBe((last += 1));
          events.push(event.type);
        }
        expect(events.filter((type) => /^run\.(completed|cancelled|failed)$/.test(type))).toHaveLength(1);
        expect(events.filter((type) => type === 'model.completed').length).toBeLessThanOrEqual(1);
      }
    }
  });

  it('has exactly one event for every change, no event without its change, and logs that verify', async () => {
    for (const { api } of [american, european]) {
      await verified(api);
      expect(discrepancies(await readBooks(api))).toEqual([]);
    }
  });

  it('has whole organisations or none: every one that was answered can sign in, nothing else is left', async () => {
    const operator = client(app.baseUrl, app.firstRun.operatorKey);
    const listed = await operator.all<OrganisationDto>('/v1/tenants');
    expect(listed.filter(({ status }) => status !== 'active')).toEqual([]);
    const slugs = listed.map(({ slug }) => slug);
    for (const { answered } of rounds) for (const slug of answered.tenants) expect(slugs).toContain(slug);
    for (const region of REGIONS) {
      const expected = listed
        .filter((one) => one.region === region)
        .map(({ id }) => id)
        .sort();
      expect(await schemasIn(region)).toEqual(expected);
    }
    for (const { slug } of listed.filter(({ slug }) => slug.startsWith('org-'))) {
      const person = { email: 'a@b.example', password: 'a long password 123' };
      const { accessToken } = await signIn(app, slug, person);
      const api = client(app.baseUrl, accessToken);
      await verified(api);
      const events = await api.all<{ action: string; outcome: string }>(
        '/v1/audit/events?action=tenant.created',
      );
      expect(events.filter(({ outcome }) => outcome === 'success')).toHaveLength(1);
    }
  });
});

it('a run that was at work goes on where its process died: within seconds, and with its events in order', async () => {
  const run = await startRun(european.api, agentsOf(european).slow);
  await runIn(european.api, run.id, new Set(['RUNNING']));
  await sleep(600);
  await app.kill9();
  await app.start();
  const restarted = Date.now();
  const types: string[] = [];
  let resumedAfter = Infinity;
  for await (const { type, data } of european.api.events(`/v1/runs/${run.id}/events`)) {
    types.push(type);
    if (data.type === 'run.started' && data.attempt === 2) resumedAfter = Date.now() - restarted;
  }
  expect(resumedAfter).toBeLessThan(8_000);
  expect(types.at(-1)).toBe('run.completed');
  expect(await readRun(european.api, run.id)).toMatchObject({
    status: 'COMPLETED',
    usage: { modelCalls: 1 },
  });
});

it('a cancellation that was answered just before the end is kept', async () => {
  const run = await startRun(european.api, agentsOf(european).slow);
  await runIn(european.api, run.id, new Set(['RUNNING']));
  await must(european.api.post(`/v1/runs/${run.id}/cancel`), 202);
  await app.kill9();
  await app.start();
  expect((await runIn(european.api, run.id)).status).toBe('CANCELLED');
});

it('an organisation is told what the operator did even where its log could not be written at that moment, and still once', async () => {
  const operator = new OperatorOf(app);
  // The log's database takes no event while the head is held from outside.
  await asSuperuser(app.home, 'eu-west-1', async (database) => {
    await database.query('BEGIN');
    await database.query('SELECT 1 FROM audit.heads WHERE tenant = $1 FOR UPDATE', [european.id]);
    await must(operator.suspend(european.id), 200);
    await must(operator.resume(european.id), 200);
    await sleep(300);
    await database.query('ROLLBACK');
  });
  await app.kill9();
  await app.start();
  await eventually(
    async () =>
      expect((await told(european.api)).map(({ action }) => action)).toEqual([
        'tenant.suspended',
        'tenant.resumed',
      ]),
    10_000,
  );
  await sleep(500);
  expect(await told(european.api)).toHaveLength(2);
  await verified(european.api);
});
