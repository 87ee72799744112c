import { createHmac } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type {
  CreatedDestinationDto,
  DeadLetterPageDto,
  DestinationDto,
  RedeliveryDto,
} from '../../src/siem/destinations.dto.js';
import { startFakeServer, type FakeServer } from '../fakes/http-server.js';
import { SPLUNK_TOKEN, startFakeSplunk, type FakeSplunk, type Indexed } from '../fakes/splunk-hec.js';
import { startApplication, type Application } from '../support/application.js';
import { client, must, refusal, type Answer, type Client } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { eventually } from '../support/eventually.js';
import { createApiKey, createPerson, createTenant, signIn, type TestTenant } from '../support/tenants.js';

const PATH = '/v1/audit/destinations';
let app: Application;
let acme: TestTenant;
let globex: TestTenant;
let splunk: FakeSplunk;

beforeAll(async () => {
  splunk = await startFakeSplunk();
  app = await startApplication({ env: { RECEIVERS_ALLOW: '127.0.0.0/8' } });
  acme = await createTenant(app);
  globex = await createTenant(app);
});
afterAll(async () => {
  await app.dispose();
  await splunk.close();
});

const toSplunk = (tenant: TestTenant): Promise<CreatedDestinationDto> =>
  must(
    tenant.api.post<CreatedDestinationDto>(PATH, {
      name: 'Splunk',
      kind: 'splunk_hec',
      url: splunk.url,
      credential: SPLUNK_TOKEN,
    }),
    201,
  );
const read = (api: Client, id: string): Promise<DestinationDto> =>
  must(api.get<DestinationDto>(`${PATH}/${id}`), 200);
const codes = (): unknown[] =>
  splunk.indexed.map(({ event }) => (event['metadata'] as { event_code: string }).event_code);
const tenants = (): unknown[] =>
  splunk.indexed.map(({ event }) => (event['metadata'] as { tenant_uid: string }).tenant_uid);

describe('a destination', () => {
  it('is sent what its own organisation does from then on, and the credential is never seen again', async () => {
    const created = await toSplunk(acme);
    await must(acme.api.get('/v1/projects'), 200);
    await must(globex.api.get('/v1/projects'), 200);
    await eventually(async () => {
      expect(codes()).toContain('project.listed');
      await Promise.resolve();
    }, 30_000);
    expect(new Set(tenants())).toEqual(new Set([acme.id]));
    expect(codes()[0]).toBe('audit_destination.created');
    const shown = [created, await read(acme.api, created.id), await acme.api.get(PATH), splunk.indexed];
    expect(JSON.stringify(shown)).not.toContain(SPLUNK_TOKEN);
    const events = await acme.api.get('/v1/audit/events?action=audit_destination.created');
    expect(JSON.stringify(events.body)).not.toContain(SPLUNK_TOKEN);
    const { rows } = await asSuperuser(app.home, 'us-east-1', (database) =>
      database.query<{ text: string }>(`SELECT d::text AS text FROM "${acme.id}".audit_destinations d`),
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]?.text).not.toContain(SPLUNK_TOKEN);
    expect(app.logs()).not.toContain(SPLUNK_TOKEN);
    await must(acme.api.delete(`${PATH}/${created.id}`), 204);
  });

  it('is set by administrators alone, and is not found by another organisation', async () => {
    const { id } = await toSplunk(acme);
    const developer = await createPerson(acme.api, 'Developer');
    const { accessToken } = await signIn(app, acme.slug, developer);
    const reader = await createApiKey(acme.api, ['audit:read']);
    const body = { name: 'x', kind: 'webhook', url: 'https://siem.invalid/' };
    for (const api of [client(app.baseUrl, accessToken), client(app.baseUrl, reader.key)])
      expect((await refusal(api.post(PATH, body))).status).toBe(403);
    expect((await refusal(globex.api.get(`${PATH}/${id}`))).status).toBe(404);
    expect((await refusal(globex.api.delete(`${PATH}/${id}`))).status).toBe(404);
    expect((await must(globex.api.get<{ items: unknown[] }>(PATH), 200)).items).toEqual([]);
    await must(acme.api.delete(`${PATH}/${id}`), 204);
  });

  it('that is paused is sent nothing, and everything after it is resumed', async () => {
    const { id } = await toSplunk(acme);
    await must(acme.api.post(`${PATH}/${id}/pause`), 200);
    await eventually(async () => {
      expect((await read(acme.api, id)).delivery).toMatchObject({ state: 'paused' });
    }, 10_000);
    await new Promise((done) => setTimeout(done, 1_500));
    const before = splunk.indexed.length;
    for (let at = 0; at < 5; at += 1) await must(acme.api.get('/v1/agents'), 200);
    await new Promise((done) => setTimeout(done, 2_000));
    expect(splunk.indexed).toHaveLength(before);
    expect((await read(acme.api, id)).delivery.lagEvents).toBeGreaterThanOrEqual(5);
    await must(acme.api.post(`${PATH}/${id}/resume`), 200);
    await eventually(async () => {
      expect(codes().slice(before)).toEqual(expect.arrayContaining(Array(5).fill('agent.listed')));
      await Promise.resolve();
    }, 20_000);
    await must(acme.api.delete(`${PATH}/${id}`), 204);
  });

  it('can be tried, and says what the receiver answers', async () => {
    const { id } = await toSplunk(acme);
    expect(await must(acme.api.post(`${PATH}/${id}/test`), 200)).toEqual({ delivered: true });
    await must(acme.api.patch(`${PATH}/${id}`, { credential: 'wrong' }), 200);
    expect(await must(acme.api.post(`${PATH}/${id}/test`), 200)).toEqual({
      delivered: false,
      error: 'HTTP_403',
    });
    await must(acme.api.patch(`${PATH}/${id}`, { url: 'http://169.254.169.254/' }), 200);
    expect(await must(acme.api.post(`${PATH}/${id}/test`), 200)).toMatchObject({
      error: 'ENDPOINT_FORBIDDEN',
    });
    await must(acme.api.delete(`${PATH}/${id}`), 204);
  });

  it('that has refused events is sent them again, those that are named and then the rest, when it is asked for', async () => {
    const { id } = await toSplunk(acme);
    const isOurs = (event: Indexed): boolean =>
      (event.event['metadata'] as { event_code: string }).event_code === 'role.listed';
    splunk.refuses = isOurs;
    for (let at = 0; at < 3; at += 1) await must(acme.api.get('/v1/roles'), 200);
    const dead = async (): Promise<number[]> => {
      const page = acme.api.get<DeadLetterPageDto>(`${PATH}/${id}/dead-letters`);
      return (await must(page, 200)).items.map(({ seq }) => seq).toReversed();
    };
    await eventually(async () => expect(await dead()).toHaveLength(3), 30_000);
    const [first = 0, second = 0, third = 0] = await dead();
    // What happens meanwhile is on its way to the receiver as well: one of the two waits.
    const again = (body: object, api = acme.api): Promise<Answer<RedeliveryDto>> =>
      eventually(async () => {
        const answer = await api.post<RedeliveryDto>(`${PATH}/${id}/dead-letters/redeliver`, body);
        expect(answer.status).not.toBe(409);
        return answer;
      }, 30_000);
    // What the receiver refuses once more stays; and nobody but its organisation can ask.
    expect(await must(again({}), 200)).toEqual({ delivered: 0, refused: 3, expired: 0 });
    expect((await refusal(again({}, globex.api))).status).toBe(404);
    expect((await refusal(again({ from: 0 }))).status).toBe(400);
    splunk.refuses = () => false;
    const taken = (): number[] => splunk.indexed.filter(isOurs).map(({ seq }) => seq);
    expect(await must(again({ from: second, to: second }), 200)).toEqual({
      delivered: 1,
      refused: 0,
      expired: 0,
    });
    expect(taken()).toEqual([second]);
    expect(await dead()).toEqual([first, third]);
    splunk.always = { status: 503, body: '' };
    expect(await must(again({}), 200)).toMatchObject({ delivered: 0, error: 'HTTP_503', nextFrom: first });
    splunk.always = undefined;
    expect(await must(again({ from: first }), 200)).toEqual({ delivered: 2, refused: 0, expired: 0 });
    expect(taken()).toEqual([second, first, third]);
    expect(await dead()).toEqual([]);
    const [event] = await acme.api.all<{ changes: object }>(
      '/v1/audit/events?action=audit_destination.dead_letters_redelivered',
    );
    expect(event?.changes).toMatchObject({ delivered: 2 });
    await must(acme.api.delete(`${PATH}/${id}`), 204);
  });

  it('that is wrong is refused with what is wrong', async () => {
    const wrong = [
      { name: 'x', kind: 'splunk_hec', url: 'https://a.example' },
      { name: 'x', kind: 'datadog', credential: 'k' },
      { name: 'x', kind: 'webhook', url: 'https://a.example', credential: 'mine' },
      { name: 'x', kind: 'webhook', url: 'https://user:pw@a.example' },
      { name: 'x', kind: 'webhook', url: 'ftp://a.example' },
      { name: 'x', kind: 'syslog', url: 'https://a.example' },
      { name: 'x', kind: 'splunk_hec', url: 'https://a.example', credential: 'a\r\nHost: b' },
    ];
    for (const body of wrong)
      expect({ body, ...(await refusal(acme.api.post(PATH, body))) }).toEqual({
        body,
        status: 400,
        code: 'INVALID_REQUEST',
      });
    expect(await refusal(acme.api.post(PATH, { name: 'x', kind: 'stdout' }))).toEqual({
      status: 422,
      code: 'DESTINATION_NOT_OFFERED',
    });
  });
});

describe('a webhook', () => {
  let server: FakeServer;
  const received: { headers: IncomingMessage['headers']; body: Buffer }[] = [];
  beforeAll(async () => {
    server = await startFakeServer(({ headers }, body) => {
      received.push({ headers, body });
      return { status: 204 };
    });
  });
  afterAll(() => server.close());

  it('is signed by the new secret and for a while by the former one', async () => {
    const body = { name: 'hook', kind: 'webhook', url: server.url };
    const { id, secret = '' } = await must(acme.api.post<CreatedDestinationDto>(PATH, body), 201);
    const { secret: next = '' } = await must(
      acme.api.post<CreatedDestinationDto>(`${PATH}/${id}/rotate-secret`),
      200,
    );
    expect(secret).toMatch(/^whsec_.{40,}$/);
    expect(next).not.toBe(secret);
    const count = received.length;
    await must(acme.api.get('/v1/projects'), 200);
    const last = await eventually(async () => {
      const found = received.slice(count).at(-1);
      if (!found) throw new Error('Nothing has arrived.');
      return Promise.resolve(found);
    }, 20_000);
    const text = `${String(last.headers['webhook-id'])}.${String(last.headers['webhook-timestamp'])}.`;
    const signed = [next, secret].map((one) => {
      const key = Buffer.from(one.slice('whsec_'.length), 'base64');
      return `v1,${createHmac('sha256', key).update(text).update(last.body).digest('base64')}`;
    });
    expect(last.headers['webhook-signature']).toBe(signed.join(' '));
    expect(Math.abs(Date.now() / 1_000 - Number(last.headers['webhook-timestamp']))).toBeLessThan(60);
    await must(acme.api.delete(`${PATH}/${id}`), 204);
  });
});

it('nothing is lost when the process is killed in the middle of sending, again and again', async () => {
  // Of their own: what earlier destinations have left to send comes in between.
  const [mine, theirs] = [await createTenant(app), await createTenant(app)];
  splunk.indexed.length = 0;
  splunk.always = { status: 503 };
  const [{ id }] = [await toSplunk(mine), await toSplunk(theirs)];
  for (let round = 0; round < 2; round += 1) {
    for (let at = 0; at < 40; at += 1) await must(mine.api.get('/v1/projects'), 200);
    const before = splunk.indexed.length;
    splunk.always = undefined;
    await must(mine.api.post(`${PATH}/${id}/resume`), 200);
    while (splunk.indexed.length === before) await new Promise((done) => setTimeout(done, 1));
    // It has taken a batch, and the process may or may not have noted it.
    await app.kill9();
    splunk.always = { status: 503 };
    await app.start();
  }
  splunk.always = undefined;
  await must(mine.api.post(`${PATH}/${id}/resume`), 200);
  const ofMine = (): number[] =>
    splunk.indexed.flatMap(({ seq }, at) => (tenants()[at] === mine.id ? [seq] : []));
  await eventually(async () => {
    const { delivery } = await read(mine.api, id);
    expect(delivery.failures).toBe(0);
    expect(delivery.lagEvents).toBeLessThanOrEqual(1);
  }, 60_000);
  // What is sent once more may come in between.
  const seqs = [...new Set(ofMine())].toSorted((a, b) => a - b);
  const first = seqs[0] ?? 0;
  expect(seqs.length).toBeGreaterThan(80);
  expect(seqs).toEqual(seqs.map((_seq, at) => first + at));
}, 240_000);
