import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TenantRef } from '../../src/platform/database/index.js';
import { newWebhookSecret } from '../../src/platform/egress/index.js';
import { startFakeServer } from '../fakes/http-server.js';
import { startMailbox, type Mailbox } from '../fakes/mailbox.js';
import { ROUTING_KEY, startFakePagerDuty, type FakePagerDuty } from '../fakes/pagerduty.js';
import { openAlerting, type Alerting } from '../support/alerting.js';

let test: Alerting;
let mailbox: Mailbox;
let pagerduty: FakePagerDuty;
let acme: TenantRef;
let globex: TenantRef;

beforeAll(async () => {
  mailbox = await startMailbox();
  test = await openAlerting(mailbox.url);
});
afterAll(async () => {
  await test.close();
  await mailbox.close();
});
beforeEach(async () => {
  [acme, globex] = [await test.newTenant(), await test.newTenant()];
  pagerduty = await startFakePagerDuty();
});
afterEach(() => pagerduty.close());

const paged = (tenant: TenantRef, minimum?: 'P1' | 'P2') =>
  test.channel(tenant, 'pagerduty', { url: pagerduty.url, secret: ROUTING_KEY }, minimum);
const told = (): string[] => pagerduty.events.map(({ event_action: action }) => action);

describe('an alert', () => {
  it('is told to PagerDuty when it is opened, acknowledged and resolved: one incident', async () => {
    await Promise.all([paged(acme), paged(globex)]);
    const id = await test.raise(acme, 'P2');
    await test.attend();
    const key = `waxell/${acme.id}/${id}`;
    expect([...pagerduty.incidents]).toEqual([[key, 'triggered']]);
    expect(pagerduty.events[0]?.payload).toMatchObject({ severity: 'error', source: acme.id, class: 'test' });
    await test.answer(acme, id, 'acknowledged');
    await test.attend();
    expect(pagerduty.incidents.get(key)).toBe('acknowledged');
    await test.answer(acme, id, 'resolved');
    await test.attend();
    expect([...pagerduty.incidents]).toEqual([[key, 'resolved']]);
    expect(JSON.stringify(pagerduty.events)).not.toContain('192.0.2.99');
  });

  it('is told once by however many processes, and to who wants alerts that severe', async () => {
    await paged(acme, 'P2');
    await test.raise(acme, 'P3', 'mild');
    await test.raise(acme, 'P1', 'severe');
    await Promise.all([test.attend(), test.attend(), test.attend()]);
    expect(pagerduty.events.map(({ payload }) => payload?.severity)).toEqual(['critical']);
  });

  it('is told again after a refusal, and its end never before its beginning', async () => {
    await paged(acme);
    pagerduty.always = { status: 429 };
    const id = await test.raise(acme, 'P2');
    await test.attend();
    await test.answer(acme, id, 'resolved');
    pagerduty.always = { status: 503 };
    await test.passSeconds(acme, 2);
    await test.attend();
    expect(told()).toEqual([]);
    pagerduty.always = undefined;
    await test.passSeconds(acme, 300);
    await test.attend();
    await test.passSeconds(acme, 1);
    await test.attend();
    expect(told()).toEqual(['trigger', 'resolve']);
  });

  it('that is not taken for good is told no more, and the log says so', async () => {
    await test.channel(acme, 'pagerduty', { url: pagerduty.url, secret: 'X'.repeat(32) });
    await test.raise(acme, 'P2');
    await test.attend();
    await test.passSeconds(acme, 300);
    await test.attend();
    expect(pagerduty.requests).toBe(1);
    expect(await test.actions(acme)).toEqual(['alert.notification_failed']);
    expect(await test.actions(globex)).toEqual([]);
  });

  it('that cannot be told for a day is given up, and waits for nobody', async () => {
    await paged(acme);
    pagerduty.always = { status: 500 };
    const id = await test.raise(acme, 'P4');
    await test.attend();
    await test.answer(acme, id, 'acknowledged');
    await test.passSeconds(acme, 90_000);
    await test.attend();
    expect(await test.actions(acme)).toContain('alert.notification_failed');
  });

  it('of an organisation whose keys were destroyed is attended to no more; a neighbour’s is', async () => {
    await Promise.all([paged(acme), paged(globex)]);
    await Promise.all([test.raise(acme, 'P2'), test.raise(globex, 'P2')]);
    await test.destroyKeys(acme);
    await test.attend();
    expect(told()).toEqual(['trigger']);
    const { rows } = await test.db.superuser.query('SELECT tenant FROM work.alerts WHERE tenant = ANY($1)', [
      [acme.id, globex.id],
    ]);
    expect(rows).toEqual([{ tenant: globex.id }]);
  });

  it('is told to a webhook under one id, however often it is sent', async () => {
    const ids: unknown[] = [];
    const bodies: string[] = [];
    const server = await startFakeServer(({ headers }, body) => {
      ids.push(headers['webhook-id']);
      bodies.push(body.toString('utf8'));
      return { status: ids.length === 1 ? 500 : 204 };
    });
    await test.channel(acme, 'webhook', { url: server.url, secret: newWebhookSecret() });
    await test.raise(acme, 'P1');
    await test.attend();
    await test.passSeconds(acme, 5);
    await test.attend();
    await server.close();
    expect(ids).toHaveLength(2);
    expect(new Set(ids).size).toBe(1);
    expect(JSON.parse(bodies[1] ?? '')).toMatchObject({ type: 'alert.opened', tenant: acme.id });
    expect(bodies.join()).not.toContain('192.0.2.99');
  });

  it('is told by mail, and again when the server could not take it', async () => {
    mailbox.refuse = 1;
    await test.channel(acme, 'email', { to: ['soc@acme.example', 'ciso@acme.example'] });
    await test.raise(acme, 'P2');
    await test.attend();
    expect(mailbox.mails).toEqual([]);
    await test.passSeconds(acme, 5);
    await test.attend();
    expect(mailbox.mails).toMatchObject([
      { from: 'alerts@waxell.example', to: ['soc@acme.example', 'ciso@acme.example'] },
    ]);
    expect(mailbox.mails[0]?.text).toContain('Subject: [P2] Something');
    expect(mailbox.mails[0]?.text).not.toContain('192.0.2.99');
  });
});

describe('an alert that nobody acknowledges', () => {
  it.each([
    ['P1', 15 * 60],
    ['P2', 3_600],
    ['P3', 4 * 3_600],
    ['P4', 24 * 3_600],
  ] as const)('of %s is escalated after %i seconds, and not before', async (severity, seconds) => {
    await paged(acme);
    const id = await test.raise(acme, severity);
    await test.attend();
    await test.passSeconds(acme, seconds - 60);
    await test.attend();
    expect(told()).toEqual(['trigger']);
    await test.passSeconds(acme, 61);
    await test.attend();
    expect([...pagerduty.incidents.keys()]).toEqual([
      `waxell/${acme.id}/${id}`,
      `waxell/${acme.id}/${id}/escalated`,
    ]);
    expect(await test.actions(acme)).toEqual(['alert.escalated']);
    expect(await test.actions(globex)).toEqual([]);
  });

  it('is escalated three times, once by however many processes, and both incidents end with it', async () => {
    await paged(acme);
    const id = await test.raise(acme, 'P1');
    for (let times = 0; times < 6; times += 1) {
      await test.passSeconds(acme, 901);
      await Promise.all([test.attend(), test.attend()]);
    }
    expect(await test.actions(acme)).toEqual(Array(3).fill('alert.escalated'));
    await test.answer(acme, id, 'resolved');
    await test.attend();
    expect([...pagerduty.incidents.values()]).toEqual(['resolved', 'resolved']);
  });

  it('and is acknowledged then is escalated no more', async () => {
    await paged(acme);
    const id = await test.raise(acme, 'P1');
    await test.attend();
    await test.answer(acme, id, 'acknowledged');
    await test.passSeconds(acme, 100_000);
    await test.attend();
    expect(await test.actions(acme)).toEqual([]);
  });
});

describe('what is found of an alert that somebody has acknowledged', () => {
  const stateOf = async (tenant: TenantRef) =>
    (await test.alerts(tenant)).map(({ status, occurrences }) => [status, occurrences]);

  it('opens it again, and is told once until somebody acknowledges that as well', async () => {
    await Promise.all([paged(acme), paged(globex)]);
    const [id] = await Promise.all([test.raise(acme, 'P2', 'all'), test.raise(globex, 'P2', 'all')]);
    await test.attend();
    await test.answer(acme, id, 'acknowledged');
    await test.attend();
    pagerduty.events.length = 0;
    for (const expected of [id, '', '']) expect(await test.raise(acme, 'P2', 'all')).toBe(expected);
    await test.attend();
    const key = `waxell/${acme.id}/${id}`;
    expect(told().filter((action) => action === 'trigger')).toHaveLength(1);
    expect([pagerduty.incidents.get(key), pagerduty.incidents.get(`${key}/1`)]).toEqual([
      'resolved',
      'triggered',
    ]);
    expect(await stateOf(acme)).toEqual([['open', 4]]);
    expect(await stateOf(globex)).toEqual([['open', 1]]);
    await test.answer(acme, id, 'acknowledged');
    await test.raise(acme, 'P2', 'all');
    await test.answer(acme, id, 'resolved');
    await test.attend();
    const ours = [...pagerduty.incidents].filter(([name]) => name.startsWith(key)).map(([, state]) => state);
    expect(new Set(ours)).toEqual(new Set(['resolved']));
  });

  it('has to be acknowledged in time, and is escalated where it is not', async () => {
    await paged(acme);
    const id = await test.raise(acme, 'P1');
    await test.answer(acme, id, 'acknowledged');
    await test.passSeconds(acme, 100_000);
    await test.raise(acme, 'P1');
    await test.attend();
    expect(await test.actions(acme)).toEqual([]);
    await test.passSeconds(acme, 901);
    await test.attend();
    expect(await test.actions(acme)).toEqual(['alert.escalated']);
  });
});

it('what is found of an alert of which everybody was told for the last time is told once more', async () => {
  await paged(acme);
  await test.raise(acme, 'P1');
  const pass = async (): Promise<void> => {
    for (let times = 0; times < 5; times += 1) {
      await test.passSeconds(acme, 901);
      await test.attend();
    }
  };
  await pass();
  expect(await test.actions(acme)).toHaveLength(3);
  await test.raise(acme, 'P1');
  await test.raise(acme, 'P1');
  await pass();
  expect(await test.actions(acme)).toHaveLength(4);
});
