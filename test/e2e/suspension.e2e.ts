import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { publishedAgent, runIn, startRun } from '../support/agents.js';
import { must } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { eventually } from '../support/eventually.js';
import { verified } from '../support/log-book.js';
import { installationLog, OperatorOf, REASON, told, waysIn } from '../support/organisations.js';
import { sharedApplication } from '../support/shared-application.js';
import { createTenant, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const operator = new OperatorOf(app);
/** Whom nothing happens to. */
let neighbour: TestTenant;
let acme: TestTenant;

beforeAll(async () => {
  neighbour = await createTenant(app, { region: 'eu-west-1' });
});
beforeEach(async () => {
  acme = await createTenant(app, { region: 'eu-west-1' });
});

describe('a suspended organisation', () => {
  it('is refused within a second by every way in, its streams end, its runs wait; its neighbour notices nothing', async () => {
    const slow = await publishedAgent(acme.api, { model: { name: 'demo-slow' } });
    const running = await startRun(acme.api, slow.id);
    await runIn(acme.api, running.id, new Set(['RUNNING']));
    let streamEnded: number | undefined;
    const watching = (async () => {
      for await (const _event of acme.api.events(`/v1/runs/${running.id}/events`));
      streamEnded = Date.now();
    })();
    const ways = await waysIn(app.baseUrl, acme);
    const theirs = await waysIn(app.baseUrl, neighbour);
    for (const way of [...Object.values(ways), ...Object.values(theirs)]) expect(await way()).toBe('200');

    const probes: { way: string; at: number; said: string }[] = [];
    const stop = new AbortController();
    const probing = Object.entries({
      ...ways,
      ...Object.fromEntries(Object.entries(theirs).map(([way, ask]) => [`neighbour's ${way}`, ask])),
    }).map(async ([way, ask]) => {
      while (!stop.signal.aborted) {
        const at = Date.now();
        probes.push({ way, at, said: await ask() });
        await sleep(5);
      }
    });
    await sleep(200);
    await must(operator.suspend(acme.id), 200);
    const suspendedAt = Date.now();
    const late = () => probes.filter(({ way, at }) => way in ways && at > suspendedAt + 1_000);
    const asked = () => new Set(late().map(({ way }) => way));
    await eventually(async () => expect(asked()).toEqual(new Set(Object.keys(ways))), 20_000);
    stop.abort();
    await Promise.all([...probing, watching]);

    expect(new Set(late().map(({ said }) => said))).toEqual(new Set(['403 TENANT_SUSPENDED']));
    const others = probes.filter(({ way }) => !(way in ways));
    expect(new Set(others.map(({ said }) => said))).toEqual(new Set(['200']));
    expect((streamEnded ?? Infinity) - suspendedAt).toBeLessThan(1_000);
    // Nobody holds the run any more, and nobody takes it up.
    const held = () =>
      asSuperuser(app.home, 'eu-west-1', async (database) => {
        const { rows } = await database.query(`SELECT lease_id FROM work.runs WHERE tenant = $1`, [acme.id]);
        return rows;
      });
    expect(await held()).toEqual([{ lease_id: null }]);
    await sleep(6_000);
    expect(await held()).toEqual([{ lease_id: null }]);

    await must(operator.resume(acme.id), 200);
    const finished = await eventually(() => runIn(acme.api, running.id), 20_000);
    expect(finished).toMatchObject({ status: 'COMPLETED', usage: { modelCalls: 1 } });
    expect(await ways['token']?.()).toBe('200');
  });

  it('finds in its own log who suspended it, why and when, once; the installation has it too', async () => {
    const before = new Date().toISOString();
    await must(operator.suspend(acme.id), 200);
    await must(operator.resume(acme.id), 200);
    await eventually(async () => expect(await told(acme.api)).toHaveLength(2), 5_000);
    const [suspended, resumed] = await told(acme.api);
    expect(suspended).toMatchObject({ action: 'tenant.suspended', changes: { reason: REASON } });
    expect(resumed).toMatchObject({ action: 'tenant.resumed' });
    expect((suspended?.at ?? '') >= before).toBe(true);
    // Read where it lies, past the API, which would have moved what transactions have left into the log first.
    await eventually(async () => {
      const actions = await installationLog(app.home, acme.id);
      expect(actions).toEqual(['tenant.created', 'tenant.suspended', 'tenant.resumed']);
    }, 5_000);
    await verified(acme.api);
    expect(await told(neighbour.api)).toEqual([]);
  });

  it('takes no run up that was queued before, until it is resumed', async () => {
    const agent = await publishedAgent(acme.api, { model: { name: 'demo-slow' } });
    const runs = await Promise.all(Array.from({ length: 5 }, () => startRun(acme.api, agent.id)));
    await must(operator.suspend(acme.id), 200);
    const theirs = await startRun(neighbour.api, (await publishedAgent(neighbour.api)).id);
    expect((await runIn(neighbour.api, theirs.id)).status).toBe('COMPLETED');
    await must(operator.resume(acme.id), 200);
    await eventually(async () => expect((await acme.api.get('/v1/me')).status).toBe(200), 5_000);
    for (const { id } of runs) expect((await runIn(acme.api, id)).status).toBe('COMPLETED');
  });
});

it('an organisation is told once its log is open again of what was done while it was closed, as for a move', async () => {
  const log = (closedAt: string): Promise<unknown> =>
    asSuperuser(app.home, 'eu-west-1', (database) =>
      database.query(`UPDATE audit.heads SET closed_at = ${closedAt} WHERE tenant = $1`, [acme.id]),
    );
  const notices = (): Promise<number | null> =>
    asSuperuser(app.home, 'us-east-1', async (database) => {
      const { rowCount } = await database.query('SELECT FROM control.notices WHERE tenant = $1', [acme.id]);
      return rowCount;
    });
  await must(acme.api.get('/v1/me'), 200);
  await log('seq');
  await must(operator.suspend(acme.id), 200);
  await sleep(1_000);
  expect(await notices()).toBe(1);
  await log('NULL');
  await must(operator.resume(acme.id), 200);
  await eventually(async () => expect(await notices()).toBe(0), 10_000);
  const actions = (await told(acme.api)).map(({ action }) => action);
  expect(actions).toEqual(['tenant.suspended', 'tenant.resumed']);
  expect(await told(neighbour.api)).toEqual([]);
});
