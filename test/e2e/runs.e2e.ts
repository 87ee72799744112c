import type { RunDto } from '../../src/runs/runs.dto.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { publishedAgent, readRun, runIn, startRun } from '../support/agents.js';
import { sharedApplication } from '../support/shared-application.js';
import { refusal, type ReceivedEvent } from '../support/client.js';
import { createTenant, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
let acme: TestTenant;
let other: TestTenant;
let quick: string;
let slow: string;

beforeAll(async () => {
  acme = await createTenant(app);
  other = await createTenant(app);
  quick = (await publishedAgent(acme.api)).id;
  slow = (await publishedAgent(acme.api, { model: { name: 'demo-slow' } })).id;
});

const RUNNING: ReadonlySet<string> = new Set(['RUNNING']);

async function eventsOf(id: string, lastEventId?: number): Promise<ReceivedEvent[]> {
  const events: ReceivedEvent[] = [];
  const options = lastEventId === undefined ? {} : { lastEventId };
  for await (const event of acme.api.events(`/v1/runs/${id}/events`, options)) events.push(event);
  return events;
}

async function auditActionsOf(id: string): Promise<string[]> {
  const events = await acme.api.all<{ action: string; resource?: { id: string } }>('/v1/audit/events');
  return events
    .filter(({ resource, action }) => resource?.id === id && !/read|watched/.test(action))
    .map(({ action }) => action)
    .toReversed();
}

describe('a run', () => {
  it('is accepted as PENDING, completes with output and usage, and tells its story in order', async () => {
    const accepted = await startRun(acme.api, quick, 'Good morning');
    expect(accepted).toMatchObject({ status: 'PENDING', input: 'Good morning', agentId: quick });
    const events = await eventsOf(accepted.id);
    expect(events.map(({ id }) => id)).toEqual(events.map((_, at) => at + 1));
    const types = events.map(({ type }) => type);
    expect(types.slice(0, 2)).toEqual(['run.started', 'model.started']);
    expect(types.slice(-2)).toEqual(['model.completed', 'run.completed']);
    expect(new Set(types.slice(2, -2))).toEqual(new Set(['model.delta']));
    const said = events.map(({ data }) => (data.type === 'model.delta' ? data.text : '')).join('');
    const run = await readRun(acme.api, accepted.id);
    expect(run).toMatchObject({ status: 'COMPLETED', usage: { modelCalls: 1 } });
    expect(said).toContain('You said: Good morning');
    expect(JSON.stringify(run.output)).toContain('You said: Good morning');
    expect(run.usage.outputTokens).toBeGreaterThan(0);
    expect(await auditActionsOf(run.id)).toEqual(['run.created', 'run.started', 'run.completed']);
  });

  it('fails with a reason that a person can read', async () => {
    const { id } = await publishedAgent(acme.api, { model: { name: 'demo-fail' } });
    const run = await runIn(acme.api, (await startRun(acme.api, id)).id);
    expect(run).toMatchObject({ status: 'FAILED', error: { code: 'MODEL_UNAVAILABLE' } });
    expect(run.output).toBeUndefined();
    expect((await eventsOf(run.id)).at(-1)?.data).toMatchObject({ type: 'run.failed', error: run.error });
    expect(await auditActionsOf(run.id)).toEqual(['run.created', 'run.started', 'run.failed']);
  });

  it('is stopped at its time limit', async () => {
    const { id } = await publishedAgent(acme.api, {
      model: { name: 'demo-slow' },
      limits: { timeoutSeconds: 1 },
    });
    const run = await runIn(acme.api, (await startRun(acme.api, id)).id);
    expect(run).toMatchObject({ status: 'FAILED', error: { code: 'RUN_TIMEOUT' } });
  });

  it('cannot return more than its limit', async () => {
    const { id } = await publishedAgent(acme.api, { limits: { maxOutputBytes: 10 } });
    const run = await runIn(acme.api, (await startRun(acme.api, id)).id);
    expect(run).toMatchObject({ status: 'FAILED', error: { code: 'LIMIT_EXCEEDED' } });
  });
});

describe('a stream of events', () => {
  it('goes on after the last event that was seen, by header and by query', async () => {
    const { id } = await startRun(acme.api, quick, 'one two three four five');
    const all = await eventsOf(id);
    expect(await eventsOf(id, 4)).toEqual(all.slice(4));
    expect(await eventsOf(id, 4)).toEqual(await eventsOf(id, 4));
    const byQuery: ReceivedEvent[] = [];
    for await (const event of acme.api.events(`/v1/runs/${id}/events?after=4`)) byQuery.push(event);
    expect(byQuery).toEqual(all.slice(4));
  });

  it('can be left in the middle and taken up again without a gap, while the run goes on', async () => {
    const { id } = await startRun(acme.api, slow);
    const seen: ReceivedEvent[] = [];
    const leave = new AbortController();
    const first = acme.api.events(`/v1/runs/${id}/events`, { signal: leave.signal });
    for await (const event of first) if (seen.push(event) === 4) break;
    leave.abort();
    for await (const event of acme.api.events(`/v1/runs/${id}/events`, { lastEventId: 4 }))
      if (seen.push(event) === 8) break;
    expect(seen.map((event) => event.id)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    await acme.api.post(`/v1/runs/${id}/cancel`);
  });

  it("is not there for another tenant's run, nor for one that nobody has", async () => {
    const { id } = await startRun(acme.api, quick);
    const nobodys = '01890000-0000-7000-8000-000000000000';
    for (const run of [id, nobodys])
      expect(await refusal(other.api.get(`/v1/runs/${run}/events`))).toEqual({
        status: 404,
        code: 'NOT_FOUND',
      });
  });
});

describe('a cancelled run', () => {
  it('that is at work ends soon, as CANCELLED, and keeps what it has said', async () => {
    const { id } = await startRun(acme.api, slow);
    await runIn(acme.api, id, RUNNING);
    const asked = Date.now();
    expect((await acme.api.post(`/v1/runs/${id}/cancel`)).status).toBe(202);
    const run = await runIn(acme.api, id);
    expect(Date.now() - asked).toBeLessThan(3_000);
    expect([run.status, run.error, run.output]).toEqual(['CANCELLED', undefined, undefined]);
    expect((await eventsOf(id)).at(-1)?.type).toBe('run.cancelled');
    expect((await auditActionsOf(id)).sort()).toEqual(
      ['run.cancel_requested', 'run.cancelled', 'run.created', 'run.started'].sort(),
    );
  });

  it('that waits is CANCELLED at once, and never begins', async () => {
    // Four run at a time: the fifth and later ones wait.
    const busy = await Promise.all(Array.from({ length: 4 }, () => startRun(acme.api, slow)));
    await Promise.all(busy.map(({ id }) => runIn(acme.api, id, RUNNING)));
    const waiting = await startRun(acme.api, slow);
    const cancelled = await acme.api.post<RunDto>(`/v1/runs/${waiting.id}/cancel`);
    expect(cancelled.body.status).toBe('CANCELLED');
    await Promise.all(busy.map(({ id }) => acme.api.post(`/v1/runs/${id}/cancel`)));
    await Promise.all(busy.map(({ id }) => runIn(acme.api, id)));
    expect((await eventsOf(waiting.id)).map(({ type }) => type)).toEqual(['run.cancelled']);
    expect(await auditActionsOf(waiting.id)).toEqual(['run.created', 'run.cancel_requested']);
    expect((await acme.api.post(`/v1/runs/${waiting.id}/cancel`)).status).toBe(202);
  });

  it('that was over stays as it was', async () => {
    const { id } = await runIn(acme.api, (await startRun(acme.api, quick)).id);
    expect(await refusal(acme.api.post(`/v1/runs/${id}/cancel`))).toEqual({
      status: 409,
      code: 'RUN_FINISHED',
    });
    expect((await readRun(acme.api, id)).status).toBe('COMPLETED');
  });

  it('ends once, whenever the cancellation comes', async () => {
    const runs = await Promise.all(Array.from({ length: 12 }, () => startRun(acme.api, quick)));
    await Promise.all(
      runs.map(({ id }, at) =>
        new Promise((done) => setTimeout(done, at * 25)).then(() => acme.api.post(`/v1/runs/${id}/cancel`)),
      ),
    );
    for (const { id } of runs) {
      const run = await runIn(acme.api, id);
      const ends = (await eventsOf(id)).filter(({ type }) =>
        /^run\.(completed|failed|cancelled)$/.test(type),
      );
      expect(ends.map(({ type }) => type)).toEqual([`run.${run.status.toLowerCase()}`]);
      const actions = await auditActionsOf(id);
      expect(actions.filter((action) => action === 'run.resumed')).toEqual([]);
    }
  });
});
