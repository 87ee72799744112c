import type { AlertDto } from '../../src/alerts/alerts.dto.js';
import type { RuleDto } from '../../src/detection/detection-rules.dto.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startMailbox, type Mailbox } from '../fakes/mailbox.js';
import { ROUTING_KEY, startFakePagerDuty, type FakePagerDuty } from '../fakes/pagerduty.js';
import { alertsOf, failToSignIn, raisedAlert } from '../support/alerts.js';
import { startApplication, type Application } from '../support/application.js';
import { client, must, refusal } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { eventually } from '../support/eventually.js';
import { createApiKey, createPerson, createTenant, signIn, type TestTenant } from '../support/tenants.js';

let app: Application;
let acme: TestTenant;
let globex: TestTenant;
let mailbox: Mailbox;
let pagerduty: FakePagerDuty;

beforeAll(async () => {
  [mailbox, pagerduty] = [await startMailbox(), await startFakePagerDuty()];
  app = await startApplication({ env: { RECEIVERS_ALLOW: '127.0.0.0/8', SMTP_URL: mailbox.url } });
  acme = await createTenant(app);
  globex = await createTenant(app);
});
afterAll(async () => {
  await app.dispose();
  await Promise.all([mailbox.close(), pagerduty.close()]);
});

describe('an alert', () => {
  let alert: AlertDto;
  beforeAll(async () => {
    alert = await raisedAlert(app, acme);
  });

  it('is opened by what was done to one organisation, and is in no other', async () => {
    expect(alert).toMatchObject({
      severity: 'P3',
      status: 'open',
      subject: { email: 'nobody@nowhere.example' },
      escalations: 0,
    });
    const within = Date.parse(alert.acknowledgeBy) - Date.parse(alert.openedAt);
    expect(within).toBe(4 * 3_600_000);
    expect(await globex.api.all('/v1/alerts?rule=failed_logins.account')).toEqual([]);
    for (const action of ['acknowledge', 'resolve'])
      expect((await refusal(globex.api.post(`/v1/alerts/${alert.id}/${action}`))).status).toBe(404);
  });

  it('is read and answered by administrators alone', async () => {
    const { accessToken } = await signIn(app, acme.slug, await createPerson(acme.api, 'Developer'));
    const narrow = await createApiKey(acme.api, ['alert:read']);
    const developer = client(app.baseUrl, accessToken);
    expect((await refusal(developer.get('/v1/alerts'))).status).toBe(403);
    const reader = client(app.baseUrl, narrow.key);
    await must(reader.get(`/v1/alerts/${alert.id}`), 200);
    expect((await refusal(reader.post(`/v1/alerts/${alert.id}/acknowledge`))).status).toBe(403);
  });

  it('is acknowledged, then resolved, each with its event; what is found again is another alert', async () => {
    const path = `/v1/alerts/${alert.id}`;
    const stale = { 'if-match': `"${alert.version + 5}"` };
    expect((await refusal(acme.api.post(`${path}/acknowledge`, undefined, stale))).status).toBe(412);
    const seen = await must(acme.api.post<AlertDto>(`${path}/acknowledge`), 200);
    expect(seen).toMatchObject({ status: 'acknowledged', acknowledgedInTime: true });
    const again = await must(acme.api.post<AlertDto>(`${path}/acknowledge`), 200);
    expect(again.acknowledgedAt).toBe(seen.acknowledgedAt);
    expect(await must(acme.api.post<AlertDto>(`${path}/resolve`), 200)).toMatchObject({ status: 'resolved' });
    expect(await refusal(acme.api.post(`${path}/acknowledge`))).toEqual({
      status: 409,
      code: 'ALERT_RESOLVED',
    });
    const { items } = await must(
      acme.api.get<{ items: { action: string }[] }>('/v1/audit/events?limit=200'),
      200,
    );
    const actions = items.map(({ action }) => action);
    for (const action of ['alert.raised', 'alert.acknowledged', 'alert.resolved'])
      expect(actions).toContain(action);
    await failToSignIn(app, acme, 'somebody@else.example');
    expect(await alertsOf(acme.api, 'failed_logins.account', 2)).toHaveLength(2);
  });
});

describe('a rule', () => {
  it('is set by an organisation for itself', async () => {
    const path = '/v1/detection/rules/failed_logins.account';
    const body = { enabled: true, severity: 'P1', threshold: 2, windowSeconds: 600 };
    expect(await must(globex.api.put<RuleDto>(path, body), 200)).toMatchObject({ ...body, version: 1 });
    expect((await refusal(globex.api.put(path, body, { 'if-match': '"0"' }))).status).toBe(412);
    await failToSignIn(app, globex, 'ann@globex.example', 2);
    expect(await alertsOf(globex.api, 'failed_logins.account')).toMatchObject([{ severity: 'P1' }]);
    const { items } = await must(acme.api.get<{ items: RuleDto[] }>('/v1/detection/rules'), 200);
    expect(items.find(({ rule }) => rule === 'failed_logins.account')).toMatchObject({
      threshold: 5,
      severity: 'P3',
      version: 0,
    });
    expect((await refusal(acme.api.put('/v1/detection/rules/constructor', body))).status).toBe(404);
    for (const wrong of [{ threshold: 0 }, { severity: 'P5' }, { windowSeconds: 1 }, { enabled: 'yes' }])
      expect((await refusal(acme.api.put(path, { ...body, ...wrong }))).status).toBe(400);
  });
});

describe('a channel', () => {
  const PATH = '/v1/alert-channels';
  it('is told of an alert, of its acknowledgement and its end, and shows no secret', async () => {
    const page = { name: 'PagerDuty', kind: 'pagerduty', url: pagerduty.url, credential: ROUTING_KEY };
    const mail = { name: 'SOC', kind: 'email', to: ['soc@globex.example'], minimumSeverity: 'P1' };
    const created = await must(globex.api.post<{ id: string }>(PATH, page), 201);
    await must(globex.api.post(PATH, mail), 201);
    expect(await must(globex.api.post(`${PATH}/${created.id}/test`), 200)).toEqual({ delivered: true });
    pagerduty.incidents.clear();
    const before = await globex.api.all<AlertDto>('/v1/alerts?rule=failed_logins.account');
    await failToSignIn(app, globex, 'channel@globex.example', 2);
    const found = await alertsOf(globex.api, 'failed_logins.account', before.length + 1);
    const { id } = found.find(({ subject }) => subject?.['email'] === 'channel@globex.example') ?? { id: '' };
    const key = `waxell/${globex.id}/${id}`;
    const stands = (state: string) =>
      eventually(async () => {
        expect(pagerduty.incidents.get(key)).toBe(state);
        await Promise.resolve();
      }, 20_000);
    await stands('triggered');
    await must(globex.api.post(`/v1/alerts/${id}/acknowledge`), 200);
    await stands('acknowledged');
    await must(globex.api.post(`/v1/alerts/${id}/resolve`), 200);
    await stands('resolved');
    await eventually(async () => {
      expect(mailbox.mails.map(({ to }) => to.join())).toEqual(Array(3).fill('soc@globex.example'));
      await Promise.resolve();
    }, 20_000);
    const shown = JSON.stringify([created, (await globex.api.get(PATH)).body]);
    expect(shown).not.toContain(ROUTING_KEY);
    const { rows } = await asSuperuser(app.home, 'us-east-1', (database) =>
      database.query<{ text: string }>(`SELECT c::text AS text FROM "${globex.id}".alert_channels c`),
    );
    expect(JSON.stringify(rows)).not.toMatch(/RRRRRRRR|soc@globex/);
    expect((await must(acme.api.get<{ items: unknown[] }>(PATH), 200)).items).toEqual([]);
  });

  it('that is wrong is refused with what is wrong', async () => {
    for (const wrong of [
      { kind: 'pagerduty' },
      { kind: 'pagerduty', credential: 'short' },
      { kind: 'webhook' },
      { kind: 'email', to: ['nobody'] },
      { kind: 'email', to: ['a@b.example'], url: 'https://a.example' },
      { kind: 'sms', to: ['a@b.example'] },
    ])
      expect({ wrong, ...(await refusal(acme.api.post(PATH, { name: 'x', ...wrong }))) }).toEqual({
        wrong,
        status: 400,
        code: 'INVALID_REQUEST',
      });
  });
});

describe('the installation', () => {
  it('has an alert of its own when an organisation’s log is broken, which the operator answers', async () => {
    const operator = client(app.baseUrl, app.firstRun.operatorKey);
    const hooked = { name: 'PagerDuty', kind: 'pagerduty', url: pagerduty.url, credential: ROUTING_KEY };
    await must(operator.post('/v1/installation/alert-channels', hooked), 201);
    const broken = await createTenant(app);
    // Once the rules have read it: only what was there before can be missed.
    await eventually(async () => {
      const { rowCount } = await asSuperuser(app.home, 'us-east-1', (database) =>
        database.query(
          `SELECT FROM "${broken.id}".detection_progress p JOIN audit.heads h ON h.tenant = $1 AND h.seq = p.seq`,
          [broken.id],
        ),
      );
      expect(rowCount).toBe(1);
    }, 30_000);
    await asSuperuser(app.home, 'us-east-1', (database) =>
      database.query('UPDATE audit.heads SET seq = seq - 1 WHERE tenant = $1', [broken.id]),
    );
    const [alert] = await eventually(async () => {
      const found = await operator.all<AlertDto>('/v1/installation/alerts?rule=audit.chain');
      if (found.length === 0) throw new Error('There is no alert yet.');
      return found;
    }, 30_000);
    expect(alert).toMatchObject({ severity: 'P1', key: broken.id, status: 'open' });
    const path = `/v1/installation/alerts/${alert?.id}`;
    const key = { 'idempotency-key': 'once' };
    for (let times = 0; times < 2; times += 1)
      expect(await must(operator.post(`${path}/acknowledge`, undefined, key), 200)).toMatchObject({
        status: 'acknowledged',
        acknowledgedBy: 'operator',
      });
    await must(operator.post(`${path}/resolve`), 200);
    await eventually(async () => {
      expect(pagerduty.incidents.get(`waxell/t_0000000000000000/${alert?.id}`)).toBe('resolved');
      await Promise.resolve();
    }, 20_000);
    for (const { api } of [acme, globex]) {
      expect((await refusal(api.get('/v1/installation/alerts'))).status).toBe(403);
      expect((await refusal(api.post(`${path}/resolve`))).status).toBe(403);
    }
    expect((await refusal(operator.get('/v1/alerts'))).status).toBe(403);
  });
});

it('no alert is lost and none is told twice when the process is killed again and again', async () => {
  for (let round = 0; round < 1; round += 1) {
    await failToSignIn(app, acme, `round${round}@acme.example`, 6);
    // Between the event and the alert, at a moment that nobody chooses.
    await app.kill9();
    await app.start();
  }
  const emails = [0].map((round) => `round${round}@acme.example`);
  await eventually(async () => {
    const found = await acme.api.all<AlertDto>('/v1/alerts?rule=failed_logins.account');
    const subjects = found
      .map(({ subject }) => subject?.['email'])
      .filter((email) => emails.includes(email ?? ''));
    expect(subjects.toSorted((a, b) => String(a).localeCompare(String(b)))).toEqual(emails);
  }, 30_000);
}, 120_000);
