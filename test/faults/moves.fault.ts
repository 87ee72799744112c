import { setTimeout as sleep } from 'node:timers/promises';
import { TERMINAL_RUN_STATUSES } from '@waxell/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AgentDto } from '../../src/agents/agents.dto.js';
import type { OrganisationDto } from '../../src/organisations/organisations.dto.js';
import { publishedAgent, runIn } from '../support/agents.js';
import { startApplication, type Application } from '../support/application.js';
import { Callers } from '../support/callers.js';
import { client, must, type Client } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { eventually } from '../support/eventually.js';
import { discrepancies, readBooks, verified } from '../support/log-book.js';
import { beginMove, operationEnded, readOperation } from '../support/moves.js';
import { print } from '../support/print.js';
import { createTenant, type TestTenant } from '../support/tenants.js';
import { mentionsOf } from '../support/mentions.js';

const THERE = { region: 'eu-west-1', confirmRegion: 'eu-west-1' };
const BACK = { region: 'us-east-1', confirmRegion: 'us-east-1' };
/** Where the registry, which is in the home cell, names every tenant. */
const REGISTRY = ['control.key_schedules', 'control.operations', 'control.slugs', 'control.tenants'];

let app: Application;
let operator: Client;
let mover: TestTenant;
let agent: AgentDto;

beforeAll(async () => {
  app = await startApplication();
  operator = client(app.baseUrl, app.firstRun.operatorKey);
  mover = await createTenant(app);
  agent = await publishedAgent(mover.api);
});
afterAll(() => app.dispose());

async function regionOf(tenant: TestTenant): Promise<string | undefined> {
  const listed = await operator.all<OrganisationDto>('/v1/tenants');
  return listed.find(({ id }) => id === tenant.id)?.region;
}

/** Holds what callers were answered against what there is, and both against the log. */
async function everythingOnce(tenant: TestTenant, callers: readonly Callers[]): Promise<void> {
  const runs = callers.flatMap(({ kept }) => kept.runs);
  for (const id of runs) await runIn(tenant.api, id, TERMINAL_RUN_STATUSES, 60_000);
  const books = await readBooks(tenant.api);
  const times = (ids: readonly { id: string }[], wanted: readonly string[]): number[] =>
    wanted.map((id) => ids.filter((one) => one.id === id).length);
  const agents = callers.flatMap(({ kept }) => kept.agents);
  expect(new Set(times(books.agents, agents))).toEqual(new Set([1]));
  expect(new Set(times(books.runs, runs))).toEqual(new Set([1]));
  const keys = await tenant.api.all<{ id: string }>('/v1/api-keys');
  expect(
    new Set(
      times(
        keys,
        callers.flatMap(({ kept }) => kept.apiKeys),
      ),
    ),
  ).toEqual(new Set([1]));
  for (const { kept } of callers)
    for (const [id, description] of kept.descriptions)
      expect(books.agents.find((one) => one.id === id)).toMatchObject({ description });
  expect(discrepancies(books)).toEqual([]);
  await verified(tenant.api);
}

describe('an organisation that is moved while its callers work', () => {
  const all: Callers[] = [];
  let neighbours: Callers[];

  beforeAll(async () => {
    const american = await createTenant(app, { region: 'us-east-1' });
    const european = await createTenant(app, { region: 'eu-west-1' });
    neighbours = [];
    for (const { api } of [american, european])
      neighbours.push(new Callers(api, await publishedAgent(api)).start());
  });
  afterAll(() => Promise.all(neighbours.map((callers) => callers.stop())));

  it.each([
    ['there', THERE],
    ['and back', BACK],
  ])('loses no write and makes none twice: %s', async (_what, body) => {
    const callers = new Callers(mover.api, agent).start();
    all.push(callers);
    await sleep(1_500);
    const { id } = await beginMove(operator, mover.id, body);
    const ended = await operationEnded(operator, mover.id, id);
    await sleep(500);
    await callers.stop();
    expect(ended).toMatchObject({ status: 'done' });
    print(
      `moved ${ended.progress?.rows} rows and ${ended.progress?.events} events: writes paused ${ended.progress?.writesPausedMs} ms, ` +
        `reads ${ended.progress?.readsPausedMs} ms; longest write ${Math.round(callers.longestWrite)} ms, ` +
        `longest read ${Math.round(callers.longestRead)} ms, refused ${JSON.stringify(tally(callers.refused))}`,
    );
    expect(new Set(callers.refused.map(({ code }) => code))).toEqual(new Set(['TENANT_MOVING']));
    expect(await regionOf(mover)).toBe(body.region);
    await everythingOnce(mover, all);
  });

  it('left nothing in the cell that it went to and came from', async () => {
    expect(await mentionsOf(app.home, 'eu-west-1', mover.id)).toEqual([]);
    expect(await mentionsOf(app.home, 'us-east-1', mover.id)).toEqual(expect.arrayContaining(REGISTRY));
  });

  it('was not noticed by its neighbours: none was refused anything', async () => {
    for (const callers of neighbours) {
      expect(callers.kept.agents.length).toBeGreaterThan(10);
      expect(callers.refused).toEqual([]);
    }
  });
});

function tally(refused: readonly { what: string; code: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { what, code } of refused) counts[`${what} ${code}`] = (counts[`${what} ${code}`] ?? 0) + 1;
  return counts;
}

/** Resolves as soon as the move is at this step, or its pause of writes has begun; or is over. */
async function reached(tenant: string, moment: string): Promise<void> {
  await asSuperuser(app.home, 'us-east-1', async (database) => {
    for (const until = Date.now() + 20_000; Date.now() < until; await sleep(2)) {
      const { rows } = await database.query<{ step: string; status: string; paused: boolean }>(
        `SELECT o.step, o.status, t.pause_id IS NOT NULL AS paused
         FROM control.operations o JOIN control.tenants t ON t.id = o.tenant
         WHERE o.tenant = $1 ORDER BY o.created_at DESC LIMIT 1`,
        [tenant],
      );
      const [now] = rows;
      if (!now || now.status !== 'running' || now.step === moment) return;
      if (moment === 'the pause' && now.paused) return;
    }
  });
}

describe('a process that is killed in the middle of a move', () => {
  const every = ['prepare', 'copy', 'catch-up', 'cut-over', 'tell', 'clean'];
  // Each takes a quarter of a minute: the pause and one other a run, drawn anew each time; all of them by a flag.
  const drawn = every.toSorted(() => Math.random() - 0.5).slice(0, 1);
  const moments = ['the pause', ...(process.env['WAXELL_EVERY_KILL'] === 'true' ? every : drawn)];

  it.each(moments.map((moment) => [moment, Math.floor(Math.random() * 120)] as const))(
    'finishes it at the next start: at %s, %i ms later',
    async (moment, afterMs) => {
      const from = await regionOf(mover);
      const callers = new Callers(mover.api, agent).start();
      await sleep(300);
      const { id } = await beginMove(operator, mover.id, from === 'us-east-1' ? THERE : BACK);
      await reached(mover.id, moment);
      await sleep(afterMs);
      await app.kill9();
      await eventually(async () => expect(await app.processesOnHome()).toEqual([]), 10_000);
      await app.start();
      expect(await operationEnded(operator, mover.id, id)).toMatchObject({ status: 'done' });
      await callers.stop();
      await everythingOnce(mover, [callers]);
      const left = from === 'eu-west-1' ? 'eu-west-1' : 'us-east-1';
      const allowed = left === 'us-east-1' ? REGISTRY : [];
      expect(await mentionsOf(app.home, left, mover.id)).toEqual(allowed);
    },
  );

  it('finishes undoing it, when it was cancelled: the source serves and takes writes, the target is clean', async () => {
    const from = await regionOf(mover);
    const to = from === 'us-east-1' ? 'eu-west-1' : 'us-east-1';
    const { id } = await beginMove(operator, mover.id, { region: to, confirmRegion: to });
    await must(operator.post(`/v1/tenants/${mover.id}/operations/${id}/cancel`), 202);
    await reached(mover.id, 'undo');
    await app.kill9();
    await app.start();
    const ended = await operationEnded(operator, mover.id, id);
    expect(ended).toMatchObject({ status: 'failed', error: 'It was cancelled.' });
    expect(await regionOf(mover)).toBe(from);
    await publishedAgent(mover.api);
    await verified(mover.api);
    expect(await mentionsOf(app.home, to, mover.id)).toEqual(to === 'us-east-1' ? REGISTRY : []);
    expect((await readOperation(operator, mover.id, id)).finishedAt).toBeDefined();
  });
});
