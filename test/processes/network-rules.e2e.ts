import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { AuditPageDto } from '../../src/audit/audit.dto.js';
import type { NetworkRulesDto } from '../../src/limits/limits.dto.js';
import { countryDatabase } from '../fakes/mmdb.js';
import { publishedAgent, startRun } from '../support/agents.js';
import { startApplication, type Application } from '../support/application.js';
import { client, must, refusal, type Client } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { eventually } from '../support/eventually.js';
import { createPerson, createTenant, signIn, type TestTenant } from '../support/tenants.js';

const GERMANY = '203.0.113.7';
const FRANCE = '198.51.100.7';
const NOWHERE = '192.0.2.7';
const RULES = '/v1/organisation/network-rules';
const EVERYBODY = { mode: 'deny', countries: [], unknown: 'allow' };
const ONLY_GERMANY = { mode: 'allow', countries: ['DE'], unknown: 'deny' };
const REFUSED = { status: 403, code: 'COUNTRY_NOT_ALLOWED' };

let folder: string;
let app: Application;
let acme: TestTenant;
let globex: TestTenant;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'waxell-geo-'));
  const file = join(folder, 'countries.mmdb');
  await writeFile(
    file,
    countryDatabase({ '203.0.113.0/24': 'DE', '198.51.100.0/24': 'FR', '2001:db8::/32': 'DE' }),
  );
  // Without a worker: runs wait, and streams of their events stay open.
  app = await startApplication({
    env: { TRUSTED_PROXIES: '1', GEO_DATABASE: file, WORKER: 'separate' },
  });
  acme = await createTenant(app);
  globex = await createTenant(app);
});
afterAll(async () => {
  await app.dispose();
  await rm(folder, { recursive: true });
});
beforeEach(async () => {
  await must(from(acme.api, GERMANY).put(RULES, EVERYBODY), 200);
  await holds(from(acme.api, FRANCE), 200);
});

/** The same caller from another address, as a trusted proxy reports it. */
const from = (api: Client, address: string): Client => api.with({ 'x-forwarded-for': address });

async function holds(api: Client, status: number): Promise<void> {
  await eventually(async () => expect((await api.get('/v1/me')).status).toBe(status), 30_000);
}

async function onlyGermany(): Promise<void> {
  await must(from(acme.api, GERMANY).put(RULES, ONLY_GERMANY), 200);
  await holds(from(acme.api, FRANCE), 403);
}

describe('network rules', () => {
  it('let in the countries that they allow and nobody else, of IPv4 and of IPv6', async () => {
    await onlyGermany();
    for (const address of [GERMANY, '2001:db8:7::1', `::ffff:${GERMANY}`])
      expect((await from(acme.api, address).get('/v1/me')).status).toBe(200);
    for (const address of [FRANCE, NOWHERE, '2001:db9::1', 'no address', '10.0.0.1', '127.0.0.1'])
      expect(await refusal(from(acme.api, address).get('/v1/me'))).toEqual(REFUSED);
  });

  it('keep out the countries that they deny and nobody else', async () => {
    await must(
      from(acme.api, GERMANY).put(RULES, { mode: 'deny', countries: ['FR'], unknown: 'allow' }),
      200,
    );
    await holds(from(acme.api, FRANCE), 403);
    for (const address of [GERMANY, NOWHERE])
      expect((await from(acme.api, address).get('/v1/me')).status).toBe(200);
    await must(from(acme.api, GERMANY).put(RULES, { mode: 'deny', countries: ['FR'], unknown: 'deny' }), 200);
    await holds(from(acme.api, NOWHERE), 403);
  });

  it('hold for keys, access tokens, session cookies, refresh tokens and signing in', async () => {
    const anyone = client(app.baseUrl, undefined, { 'x-tenant-slug': acme.slug });
    const person = { email: acme.owner.email, password: acme.owner.password };
    const login = await from(anyone, GERMANY).post<{ accessToken: string; refreshToken: string }>(
      '/v1/auth/login',
      person,
    );
    expect(login.status).toBe(200);
    const { accessToken, refreshToken } = login.body;
    const cookie = (login.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
    await onlyGermany();
    const calls: Record<string, (address: string) => Promise<{ status: number; code: string | undefined }>> =
      {
        key: (address) => refusal(from(acme.api, address).get('/v1/agents')),
        'access token': (address) =>
          refusal(from(client(app.baseUrl, accessToken), address).get('/v1/agents')),
        cookie: (address) => refusal(from(client(app.baseUrl), address).get('/v1/agents', { cookie })),
        'signing in': (address) => refusal(from(anyone, address).post('/v1/auth/login', person)),
        'a credential that is wrong': (address) =>
          refusal(
            from(client(app.baseUrl, `${acme.apiKey.slice(0, 21)}_${'A'.repeat(49)}`), address).get(
              '/v1/me',
              {
                'x-tenant-slug': acme.slug,
              },
            ),
          ),
        // Last, because the token works once.
        'refresh token': (address) =>
          refusal(from(client(app.baseUrl), address).post('/v1/auth/refresh', { refreshToken })),
      };
    for (const [how, call] of Object.entries(calls)) {
      expect({ how, ...(await call(FRANCE)) }).toEqual({ how, ...REFUSED });
      const { status } = await call(GERMANY);
      expect({ how, status }).toEqual({ how, status: how === 'a credential that is wrong' ? 401 : 200 });
    }
  });

  it('believe the address that the proxy reports, not those that the caller puts before it', async () => {
    await onlyGermany();
    expect(await refusal(from(acme.api, `${GERMANY}, ${FRANCE}`).get('/v1/me'))).toEqual(REFUSED);
    const dressed = from(acme.api, FRANCE).with({ 'cf-ipcountry': 'DE', 'cloudfront-viewer-country': 'DE' });
    expect(await refusal(dressed.get('/v1/me'))).toEqual(REFUSED);
  });

  it('are those of one organisation: neither the other one nor the operator is touched', async () => {
    await onlyGermany();
    expect((await from(globex.api, FRANCE).get('/v1/me')).status).toBe(200);
    expect((await globex.api.get<NetworkRulesDto>(RULES)).body).toMatchObject(EVERYBODY);
    const operator = from(client(app.baseUrl, app.firstRun.operatorKey), FRANCE);
    expect((await operator.get('/v1/tenants', { 'x-tenant-slug': acme.slug })).status).toBe(200);
    expect(
      (await from(client(app.baseUrl), FRANCE).get('/healthz', { 'x-tenant-slug': acme.slug })).status,
    ).toBe(200);
  });

  it('are an event for each refusal, with its reason, in the log of the organisation', async () => {
    await onlyGermany();
    const { headers } = await from(acme.api, FRANCE).get('/v1/users');
    const { items } = await must(
      from(acme.api, GERMANY).get<AuditPageDto>('/v1/audit/events?action=user.listed'),
      200,
    );
    expect(items[0]).toMatchObject({
      outcome: 'denied',
      reason: 'COUNTRY_NOT_ALLOWED',
      request: { id: headers.get('x-request-id') },
    });
  });

  it('end streams that were opened before them', async () => {
    const run = await startRun(acme.api, (await publishedAgent(acme.api)).id);
    const path = `/v1/runs/${run.id}/events`;
    let ended = false;
    const stream = from(acme.api, FRANCE).events(path);
    const watching = stream.next().then(({ done }) => {
      ended = done === true;
    });
    await eventually(async () => {
      const watched = await acme.api.get<AuditPageDto>('/v1/audit/events?action=run.watched');
      expect(watched.body.items).toHaveLength(1);
    }, 30_000);
    // Said again until it is heard: the stream begins a moment after its event is in the log.
    await eventually(async () => {
      await onlyGermany();
      expect(ended).toBe(true);
    }, 30_000);
    await watching;
    expect(await refusal(from(acme.api, FRANCE).get(path))).toEqual(REFUSED);
  });

  it('can be taken away by the operator, and by nobody outside the organisation else', async () => {
    await onlyGermany();
    const path = `/v1/tenants/${acme.id}/network-rules`;
    for (const { api } of [globex, acme])
      expect((await from(api, GERMANY).delete(path)).body.code).toBe('PERMISSION_DENIED');
    const operator = client(app.baseUrl, app.firstRun.operatorKey);
    expect((await operator.delete('/v1/tenants/t_ffffffffffffffff/network-rules')).status).toBe(404);
    expect((await operator.delete('/v1/tenants/acme/network-rules')).status).toBe(404);
    expect((await operator.delete(path)).status).toBe(204);
    await holds(from(acme.api, FRANCE), 200);
    expect((await acme.api.get<NetworkRulesDto>(RULES)).body).toMatchObject(EVERYBODY);
  });

  it('stay over a restart', async () => {
    await onlyGermany();
    await app.restart();
    expect(await refusal(from(acme.api, FRANCE).get('/v1/me'))).toEqual(REFUSED);
    expect((await from(acme.api, GERMANY).get<NetworkRulesDto>(RULES)).body).toMatchObject(ONLY_GERMANY);
  });
});

describe('setting network rules', () => {
  it('is in the log of the organisation and, without a word of who did it, in that of the installation', async () => {
    const answer = await from(acme.api, GERMANY).put<NetworkRulesDto>(RULES, {
      ...ONLY_GERMANY,
      countries: ['FR', 'DE'],
    });
    expect(answer.body).toEqual({ ...ONLY_GERMANY, countries: ['DE', 'FR'], version: answer.body.version });
    const requestId = answer.headers.get('x-request-id');
    const { items } = await must(
      from(acme.api, GERMANY).get<AuditPageDto>('/v1/audit/events?action=network_rules.updated'),
      200,
    );
    expect(items[0]).toMatchObject({
      outcome: 'success',
      request: { id: requestId },
      changes: { mode: 'allow', countries: ['DE', 'FR'], unknown: 'deny', version: answer.body.version },
    });
    await eventually(async () => {
      const { rows } = await asSuperuser(app.home, 'us-east-1', (database) =>
        database.query<{ event: Buffer }>(
          `SELECT event FROM audit.events WHERE tenant = 't_0000000000000000' AND action = 'network_rules.updated'`,
        ),
      );
      const same = rows
        .map(({ event }) => JSON.parse(event.toString()) as Record<string, unknown>)
        .filter(({ request }) => (request as { id: string }).id === requestId);
      expect(same).toHaveLength(1);
      expect(same[0]).toMatchObject({
        actor: { type: 'system', id: 'registry' },
        resource: { id: acme.id },
        changes: { version: answer.body.version },
      });
      expect(same[0]).not.toHaveProperty('client');
    }, 30_000);
  });

  it('is refused to whoever would lock themselves out, and to whoever read an older version', async () => {
    const before = await must(from(acme.api, GERMANY).get<NetworkRulesDto>(RULES), 200);
    const lockedOut = { status: 422, code: 'RULES_LOCK_OUT_CALLER' };
    const set = (address: string, rules: object) => refusal(from(acme.api, address).put(RULES, rules));
    expect(await set(FRANCE, ONLY_GERMANY)).toEqual(lockedOut);
    expect(await set(NOWHERE, ONLY_GERMANY)).toEqual(lockedOut);
    expect(await set(GERMANY, { mode: 'deny', countries: ['DE'], unknown: 'allow' })).toEqual(lockedOut);
    const stale = from(acme.api, GERMANY).put(RULES, ONLY_GERMANY, { 'if-match': `"${before.version - 1}"` });
    expect(await refusal(stale)).toEqual({ status: 412, code: 'VERSION_MISMATCH' });
    expect((await from(acme.api, GERMANY).get(RULES)).body).toEqual(before);
  });

  it.each([
    ['without a body', undefined],
    ['that name no country to allow', { ...ONLY_GERMANY, countries: [] }],
    ['with a country that does not exist', { ...ONLY_GERMANY, countries: ['DE', 'XX'] }],
    ['with a country in small letters', { ...ONLY_GERMANY, countries: ['de'] }],
    ['with a country of three letters', { ...ONLY_GERMANY, countries: ['DEU'] }],
    ['with a country twice', { ...ONLY_GERMANY, countries: ['DE', 'DE'] }],
    ['with a country that is a list', { ...ONLY_GERMANY, countries: [['DE']] }],
    ['with countries in one text', { ...ONLY_GERMANY, countries: 'DE' }],
    ['with more countries than there are', { ...ONLY_GERMANY, countries: Array(1_000).fill('DE') }],
    ['with another mode', { ...ONLY_GERMANY, mode: 'block' }],
    ['with null for the unknown', { ...ONLY_GERMANY, unknown: null }],
    ['with an unknown field', { ...ONLY_GERMANY, addresses: ['10.0.0.0/8'] }],
  ])('is refused %s, and changes nothing', async (_what, body) => {
    const before = await must(from(acme.api, GERMANY).get<NetworkRulesDto>(RULES), 200);
    expect(await refusal(from(acme.api, GERMANY).put(RULES, body))).toEqual({
      status: 400,
      code: 'INVALID_REQUEST',
    });
    expect((await from(acme.api, GERMANY).get(RULES)).body).toEqual(before);
  });

  it("is for an organisation's administrators, and for their own alone", async () => {
    const denied = { status: 403, code: 'PERMISSION_DENIED' };
    for (const role of ['Viewer', 'Developer']) {
      const { accessToken } = await signIn(app, acme.slug, await createPerson(acme.api, role));
      const api = from(client(app.baseUrl, accessToken), GERMANY);
      expect(await refusal(api.get(RULES))).toEqual(denied);
      expect(await refusal(api.put(RULES, ONLY_GERMANY))).toEqual(denied);
    }
    const { accessToken } = await signIn(app, acme.slug, await createPerson(acme.api, 'Admin'));
    const admin = from(client(app.baseUrl, accessToken), GERMANY);
    expect((await admin.put(RULES, EVERYBODY)).status).toBe(200);
    const intruder = from(globex.api, GERMANY).with({ 'x-tenant-slug': acme.slug });
    expect(await refusal(intruder.put(RULES, ONLY_GERMANY))).toEqual({
      status: 403,
      code: 'TENANT_MISMATCH',
    });
    const operator = client(app.baseUrl, app.firstRun.operatorKey, { 'x-tenant-slug': acme.slug });
    expect(await refusal(operator.put(RULES, ONLY_GERMANY))).toEqual(denied);
  });
});
