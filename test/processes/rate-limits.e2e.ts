import type { RateLimitsDto } from '../../src/limits/limits.dto.js';
import type { AuditPageDto } from '../../src/audit/audit.dto.js';
import type { Problem } from '../../src/platform/http/problem.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { startApplication, type Application } from '../support/application.js';
import { client, must, refusal, type Answer, type Client } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { createPerson, createTenant, signIn, type TestTenant } from '../support/tenants.js';

let app: Application;
let operator: Client;
let acme: TestTenant;
let globex: TestTenant;

const NARROW = { requests: { perSecond: 1, burst: 5 }, signIns: null };
const DEFAULTS = { requests: null, signIns: null };

beforeAll(async () => {
  app = await startApplication({ env: { TRUSTED_PROXIES: '1' } });
  operator = client(app.baseUrl, app.firstRun.operatorKey);
  acme = await createTenant(app);
  globex = await createTenant(app);
});
afterAll(() => app.dispose());

const limitsOf = (tenant: TestTenant): string => `/v1/tenants/${tenant.id}/rate-limits`;
const setLimits = (tenant: TestTenant, limits: object): Promise<RateLimitsDto> =>
  must(operator.put<RateLimitsDto>(limitsOf(tenant), limits), 200);

/** The same caller from another address, as a trusted proxy reports it. */
const from = (api: Client, address: string): Client => api.with({ 'x-forwarded-for': address });

async function until(api: Client, status: number): Promise<Answer<Problem>> {
  return eventually(async () => {
    const answer = await api.get('/v1/me');
    expect(answer.status).toBe(status);
    return answer;
  }, 30_000);
}

describe('the limit of an organisation', () => {
  it('is announced with every answer', async () => {
    const { headers } = await acme.api.get('/v1/me');
    expect(headers.get('ratelimit-policy')).toBe('"tenant";q=100000;w=1');
    expect(headers.get('ratelimit')).toMatch(/^"tenant";r=\d+;t=\d+$/);
    expect(headers.get('retry-after')).toBeNull();
  });

  it('holds at once when it is set, says what to do, and leaves the other organisation alone', async () => {
    await setLimits(acme, NARROW);
    const refused = await until(acme.api, 429);
    expect(refused.body).toMatchObject({ code: 'RATE_LIMITED', title: 'Too many requests' });
    expect(refused.body.detail).toContain('Retry-After');
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(refused.headers.get('ratelimit')).toContain('"tenant";r=0;t=1');
    expect(refused.headers.get('ratelimit-policy')).toContain('"tenant";q=5;w=5');
    const others = await Promise.all(Array.from({ length: 20 }, () => globex.api.get('/v1/me')));
    expect(others.map(({ status }) => status)).toEqual(others.map(() => 200));
    await setLimits(acme, DEFAULTS);
    await until(acme.api, 200);
  });

  it('counts nobody who is not of it: strangers, and those whose credential is wrong', async () => {
    await setLimits(globex, { requests: { perSecond: 1, burst: 1_000 }, signIns: null });
    const left = async (): Promise<number> => {
      const { headers } = await globex.api.get('/v1/me');
      expect(headers.get('ratelimit-policy')).toContain('"tenant";q=1000;');
      return Number(/"tenant";r=(\d+);/.exec(headers.get('ratelimit') ?? '')?.[1]);
    };
    const before = await eventually(left, 30_000);
    const stranger = client(app.baseUrl, undefined, { 'x-tenant-slug': globex.slug });
    const wrongKey = client(app.baseUrl, `${globex.apiKey.slice(0, -10)}AAAAAAAAAA`);
    const wrong = { email: globex.owner.email, password: 'wrong' };
    for (let at = 0; at < 5; at += 1) {
      expect((await stranger.get('/v1/me')).status).toBe(401);
      expect((await wrongKey.get('/v1/me')).status).toBe(401);
      expect((await stranger.post('/v1/auth/login', wrong)).status).toBe(401);
      expect((await acme.api.get('/v1/me', { 'x-tenant-slug': globex.slug })).status).toBe(403);
    }
    expect(await left()).toBeGreaterThanOrEqual(before - 1);
    await setLimits(globex, DEFAULTS);
  });

  it('is one event for all refusals of ten seconds, with their number, in the log of that organisation', async () => {
    const quiet = await createTenant(app);
    await setLimits(quiet, { requests: { perSecond: 1, burst: 1 }, signIns: null });
    await until(quiet.api, 429);
    const answers = await Promise.all(Array.from({ length: 50 }, () => quiet.api.get('/v1/me')));
    const refused = 1 + answers.filter(({ status }) => status === 429).length;
    await setLimits(quiet, DEFAULTS);
    const events = await eventually(async () => {
      const page = await must(
        quiet.api.get<AuditPageDto>('/v1/audit/events?action=request.rate_limited'),
        200,
      );
      expect(page.items.length).toBeGreaterThan(0);
      return page.items;
    }, 30_000);
    const calls = await must(
      quiet.api.get<AuditPageDto>('/v1/audit/events?action=profile.read&limit=200'),
      200,
    );
    expect(calls.items.filter(({ reason }) => reason === 'RATE_LIMITED')).toEqual([]);
    expect(calls.items.length).toBeGreaterThan(0);
    // One, unless the refusals of a slow machine took longer than the ten seconds.
    expect(events.length).toBeLessThan(refused / 5);
    for (const event of events)
      expect(event).toMatchObject({
        outcome: 'denied',
        reason: 'RATE_LIMITED',
        changes: { policy: 'tenant' },
      });
    const counted = events.map(({ changes }) => (changes as { refused: number }).refused);
    if (events.length === 1) expect(counted[0]).toBeGreaterThanOrEqual(refused);
  });
});

describe('setting the limits of an organisation', () => {
  it('takes effect, is answered with what holds, and is in the log of the installation', async () => {
    const limits = { requests: { perSecond: 7, burst: 70 }, signIns: { perMinute: 6, burst: 3 } };
    const before = await must(operator.get<RateLimitsDto>(limitsOf(acme)), 200);
    const answer = await operator.put<RateLimitsDto>(limitsOf(acme), limits, {
      'if-match': `"${before.version}"`,
    });
    expect(answer.body).toEqual({ ...limits, effective: limits, version: before.version + 1 });
    expect(answer.headers.get('etag')).toBe(`"${before.version + 1}"`);
    expect((await operator.get(limitsOf(acme))).body).toEqual(answer.body);
    const stale = operator.put(limitsOf(acme), DEFAULTS, { 'if-match': `"${before.version}"` });
    expect(await refusal(stale)).toEqual({ status: 412, code: 'VERSION_MISMATCH' });
    const restored = await setLimits(acme, DEFAULTS);
    expect(restored).toMatchObject({ ...DEFAULTS, effective: { requests: { burst: 100_000 } } });
    const requestId = answer.headers.get('x-request-id');
    await eventually(async () => {
      const { rows } = await asSuperuser(app.home, 'us-east-1', (database) =>
        database.query<{ event: Buffer }>(
          `SELECT event FROM audit.events WHERE tenant = 't_0000000000000000' AND action = 'rate_limits.updated'`,
        ),
      );
      const events = rows.map(({ event }) => JSON.parse(event.toString()) as Record<string, unknown>);
      expect(events.filter(({ request }) => (request as { id: string }).id === requestId)).toMatchObject([
        { outcome: 'success', actor: { type: 'operator' }, resource: { id: acme.id }, changes: limits },
      ]);
    }, 30_000);
  });

  it.each([
    ['without a body', undefined],
    ['that names only one of them', { requests: null }],
    ['with an unknown field', { ...DEFAULTS, perHour: 1 }],
    ['with an unknown field inside', { ...DEFAULTS, requests: { perSecond: 1, burst: 1, perHour: 1 } }],
    ['of zero', { ...DEFAULTS, requests: { perSecond: 0, burst: 1 } }],
    ['of less than nothing', { ...DEFAULTS, requests: { perSecond: 1, burst: -1 } }],
    ['of a half', { ...DEFAULTS, requests: { perSecond: 0.5, burst: 1 } }],
    ['in words', { ...DEFAULTS, requests: { perSecond: '10', burst: 1 } }],
    ['as a list', { ...DEFAULTS, requests: [] }],
    ['as a number', { ...DEFAULTS, signIns: 5 }],
    ['beyond all measure', { ...DEFAULTS, requests: { perSecond: 1e12, burst: 1 } }],
    ['with a burst that takes weeks to fill', { ...DEFAULTS, requests: { perSecond: 1, burst: 1_000_000 } }],
    ['with sign-ins that take weeks to fill', { ...DEFAULTS, signIns: { perMinute: 1, burst: 10_000 } }],
  ])('is refused %s, and changes nothing', async (_what, body) => {
    const before = await must(operator.get<RateLimitsDto>(limitsOf(acme)), 200);
    expect(await refusal(operator.put(limitsOf(acme), body))).toEqual({
      status: 400,
      code: 'INVALID_REQUEST',
    });
    expect((await operator.get(limitsOf(acme))).body).toEqual(before);
  });

  it('is refused for what is no organisation', async () => {
    for (const id of ['t_ffffffffffffffff', 't_0000000000000000', 'acme', "t_' OR true --", '%00'])
      for (const answer of [
        operator.get(`/v1/tenants/${encodeURIComponent(id)}/rate-limits`),
        operator.put(`/v1/tenants/${encodeURIComponent(id)}/rate-limits`, DEFAULTS),
      ])
        expect(await refusal(answer)).toEqual({ status: 404, code: 'NOT_FOUND' });
  });

  it('is for the operator alone: neither for its own owner nor for the owner of another', async () => {
    for (const { api } of [acme, globex])
      for (const answer of [api.get(limitsOf(acme)), api.put(limitsOf(acme), DEFAULTS)])
        expect(await refusal(answer)).toEqual({ status: 403, code: 'PERMISSION_DENIED' });
  });
});

describe('the limit of an address', () => {
  let strict: Application;
  const anyone = (address: string): Client => from(client(strict.baseUrl), address);

  beforeAll(async () => {
    strict = await startApplication({
      env: {
        TRUSTED_PROXIES: '1',
        RATE_LIMIT_IP_PER_SECOND: '1',
        RATE_LIMIT_IP_BURST: '30',
        RATE_LIMIT_SIGN_IN_PER_MINUTE: '1',
        RATE_LIMIT_SIGN_IN_BURST: '6',
        RATE_LIMIT_TENANT_SIGN_IN_PER_MINUTE: '1',
        RATE_LIMIT_TENANT_SIGN_IN_BURST: '4',
      },
    });
  });
  afterAll(() => strict.dispose());

  it('counts every path, also those that do not exist, and the /64 of an IPv6 address as one', async () => {
    const statuses: number[] = [];
    for (let at = 0; at < 40; at += 1) {
      const path = ['/v1/me', '/nowhere', '/.well-known/jwks.json', '/healthz'][at % 4] ?? '';
      statuses.push((await anyone(`2001:db8:0:1::${at.toString(16)}`).get(path)).status);
    }
    expect(statuses.slice(0, 30)).not.toContain(429);
    expect(statuses.slice(-5)).toEqual([429, 429, 429, 429, 429]);
    const answer = await anyone('2001:db8:0:1:ffff::1').get('/healthz');
    expect(answer.status).toBe(429);
    expect(answer.headers.get('ratelimit-policy')).toBe('"ip";q=30;w=30');
    expect(Number(answer.headers.get('retry-after'))).toBe(1);
    expect((await anyone('2001:db8:0:2::1').get('/healthz')).status).toBe(200);
  });

  it('is announced from where half is gone, beside that of the organisation', async () => {
    const api = from(client(strict.baseUrl, strict.firstRun.apiKey), '198.51.100.30');
    const announced = async (): Promise<string | null> =>
      (await api.get('/v1/me')).headers.get('ratelimit-policy');
    const tenant = '"tenant";q=100000;w=1';
    expect(await announced()).toBe(tenant);
    const many = await Promise.all(Array.from({ length: 25 }, announced));
    expect(new Set(many)).toEqual(new Set([tenant, `"ip";q=30;w=30, ${tenant}`]));
  });

  it('is not to be got around by adding addresses in front of the one that the proxy reports', async () => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, at) => anyone(`10.0.0.${at}, 198.51.100.9`).get('/healthz')),
    );
    expect(answers.filter(({ status }) => status === 429).length).toBeGreaterThanOrEqual(9);
  });

  it('is stricter for signing in: to one organisation from one address, and to all', async () => {
    const attempt = async (address: string, slug: string): Promise<Answer<Problem>> =>
      anyone(address).post(
        '/v1/auth/login',
        { email: 'nobody@demo.example', password: 'wrong' },
        { 'x-tenant-slug': slug },
      );
    const statuses: number[] = [];
    for (let at = 0; at < 5; at += 1) statuses.push((await attempt('198.51.100.20', 'demo')).status);
    expect(statuses).toEqual([401, 401, 401, 401, 429]);
    // The address has one attempt left in all; another address has all of its own.
    expect((await attempt('198.51.100.20', 'no-such-one')).status).toBe(401);
    const refused = await attempt('198.51.100.20', 'no-such-one');
    expect(refused.body).toMatchObject({ status: 429, code: 'RATE_LIMITED' });
    expect(refused.headers.get('ratelimit-policy')).toContain('"sign-in";q=6;w=360');
    const { ownerEmail, ownerPassword, tenant } = strict.firstRun;
    const person = { email: ownerEmail, password: ownerPassword };
    const elsewhere = await anyone('198.51.100.21').post('/v1/auth/login', person, {
      'x-tenant-slug': tenant,
    });
    expect(elsewhere.status).toBe(200);
  });
});

it('people of an organisation whose limit is reached can still be let in by the operator', async () => {
  const person = await createPerson(acme.api, 'Viewer');
  await setLimits(acme, { requests: { perSecond: 1, burst: 1 }, signIns: { perMinute: 1, burst: 1 } });
  await eventually(
    async () =>
      expect((await operator.get<RateLimitsDto>(limitsOf(acme))).body.effective.signIns.burst).toBe(1),
    30_000,
  );
  await setLimits(acme, DEFAULTS);
  await until(acme.api, 200);
  await signIn(app, acme.slug, person);
});
