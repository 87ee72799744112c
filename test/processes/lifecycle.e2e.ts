import { setTimeout as sleep } from 'node:timers/promises';
import type { OrganisationDto } from '../../src/organisations/organisations.dto.js';
import type { OperationsDto } from '../../src/organisations/lifecycle.dto.js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createProject, publishedAgent, runIn, startRun } from '../support/agents.js';
import { startApplication, type Application } from '../support/application.js';
import { client, must, refusal, type Client } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { eventually } from '../support/eventually.js';
import { verified } from '../support/log-book.js';
import { createTenant, signIn, uniqueName, type TestTenant } from '../support/tenants.js';

let app: Application;
let operator: Client;
/** Whom nothing happens to. */
let neighbour: TestTenant;
let acme: TestTenant;

beforeAll(async () => {
  app = await startApplication();
  operator = client(app.baseUrl, app.firstRun.operatorKey);
  neighbour = await createTenant(app, { region: 'eu-west-1' });
});
beforeEach(async () => {
  acme = await createTenant(app, { region: 'eu-west-1' });
});
afterAll(() => app.dispose());

const SUSPENDED = { status: 403, code: 'TENANT_SUSPENDED' };
const DELETING = { status: 403, code: 'TENANT_DELETING' };
const REASON = 'The invoice is not paid.';

const entry = (id: string) => must(operator.get<OrganisationDto>(`/v1/tenants/${id}`), 200);
const suspend = (id: string, reason = REASON) =>
  operator.post<OrganisationDto>(`/v1/tenants/${id}/suspend`, { reason });
const resume = (id: string) => operator.post<OrganisationDto>(`/v1/tenants/${id}/resume`);
const remove = (id: string, body: object = {}) =>
  operator.send<OrganisationDto>('DELETE', `/v1/tenants/${id}`, { body });
const restore = (id: string) => operator.post<OrganisationDto>(`/v1/tenants/${id}/restore`);
const rename = (id: string, version: number, body: object) =>
  operator.patch<OrganisationDto>(`/v1/tenants/${id}`, body, { 'if-match': `"${version}"` });

interface Logged {
  readonly action: string;
  readonly actor: { readonly type: string };
  readonly at: string;
  readonly changes?: Readonly<Record<string, unknown>>;
}

/** What an organisation finds in its own log of what the operator did to it. */
async function told(api: Client): Promise<Logged[]> {
  const events = await api.all<Logged>('/v1/audit/events', 200);
  return events
    .filter(({ action, actor }) => action.startsWith('tenant.') && actor.type === 'operator')
    .filter(({ action }) => action !== 'tenant.created')
    .toReversed();
}

/** What the installation's own log has of an organisation. */
async function installationLog(id: string): Promise<string[]> {
  return asSuperuser(app.home, 'us-east-1', async (database) => {
    const { rows } = await database.query<{ event: Buffer }>(
      `SELECT event FROM audit.events WHERE tenant = 't_0000000000000000' ORDER BY seq`,
    );
    return rows
      .map(
        ({ event }) =>
          JSON.parse(event.toString()) as { action: string; outcome: string; resource?: { id: string } },
      )
      .filter(({ resource, outcome }) => resource?.id === id && outcome === 'success')
      .map(({ action }) => action)
      .filter((action) => !action.endsWith('read'));
  });
}

/** Every way in: with a key, a token, a cookie, a password, a refresh token. Each gives status and code. */
async function waysIn(tenant: TestTenant): Promise<Record<string, () => Promise<string>>> {
  const anyone = client(app.baseUrl, undefined, { 'x-tenant-slug': tenant.slug });
  const { email, password } = tenant.owner;
  const login = () =>
    anyone.post<{ accessToken: string; refreshToken: string }>('/v1/auth/login', { email, password });
  const signedIn = await login();
  const cookie = (signedIn.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
  const token = client(app.baseUrl, signedIn.body.accessToken);
  const browser = client(app.baseUrl, undefined, { cookie });
  const said = async (answer: Promise<{ status: number; body: unknown }>): Promise<string> => {
    const { status, body } = await answer;
    return `${status} ${(body as { code?: string } | undefined)?.code ?? ''}`.trim();
  };
  return {
    key: () => said(tenant.api.get('/v1/me')),
    token: () => said(token.get('/v1/me')),
    cookie: () => said(browser.get('/v1/me')),
    password: () => said(login()),
  };
}

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
    const ways = await waysIn(acme);
    const theirs = await waysIn(neighbour);
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
    await must(suspend(acme.id), 200);
    const suspendedAt = Date.now();
    await sleep(1_500);
    stop.abort();
    await Promise.all([...probing, watching]);

    const late = probes.filter(({ way, at }) => way in ways && at > suspendedAt + 1_000);
    expect(new Set(late.map(({ way }) => way))).toEqual(new Set(Object.keys(ways)));
    expect(new Set(late.map(({ said }) => said))).toEqual(new Set(['403 TENANT_SUSPENDED']));
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

    await must(resume(acme.id), 200);
    const finished = await eventually(() => runIn(acme.api, running.id), 20_000);
    expect(finished).toMatchObject({ status: 'COMPLETED', usage: { modelCalls: 1 } });
    expect(await ways['token']?.()).toBe('200');
  });

  it('finds in its own log who suspended it, why and when, once; the installation has it too', async () => {
    const before = new Date().toISOString();
    await must(suspend(acme.id), 200);
    await must(resume(acme.id), 200);
    await eventually(async () => expect(await told(acme.api)).toHaveLength(2), 5_000);
    const [suspended, resumed] = await told(acme.api);
    expect(suspended).toMatchObject({ action: 'tenant.suspended', changes: { reason: REASON } });
    expect(resumed).toMatchObject({ action: 'tenant.resumed' });
    expect((suspended?.at ?? '') >= before).toBe(true);
    expect(await installationLog(acme.id)).toEqual(['tenant.created', 'tenant.suspended', 'tenant.resumed']);
    await verified(acme.api);
    expect(await told(neighbour.api)).toEqual([]);
  });

  it('is told even where its log could not be written at that moment, and still once', async () => {
    // The log's database takes no event while the head is held from outside.
    await asSuperuser(app.home, 'eu-west-1', async (database) => {
      await database.query('BEGIN');
      await database.query('SELECT 1 FROM audit.heads WHERE tenant = $1 FOR UPDATE', [acme.id]);
      await must(suspend(acme.id), 200);
      await must(resume(acme.id), 200);
      await sleep(300);
      await database.query('ROLLBACK');
    });
    await app.kill9();
    await app.start();
    await eventually(
      async () =>
        expect((await told(acme.api)).map(({ action }) => action)).toEqual([
          'tenant.suspended',
          'tenant.resumed',
        ]),
      10_000,
    );
    await sleep(500);
    expect(await told(acme.api)).toHaveLength(2);
    await verified(acme.api);
  });

  it('takes no run up that was queued before, until it is resumed', async () => {
    const agent = await publishedAgent(acme.api, { model: { name: 'demo-slow' } });
    const runs = await Promise.all(Array.from({ length: 5 }, () => startRun(acme.api, agent.id)));
    await must(suspend(acme.id), 200);
    const theirs = await startRun(neighbour.api, (await publishedAgent(neighbour.api)).id);
    expect((await runIn(neighbour.api, theirs.id)).status).toBe('COMPLETED');
    await must(resume(acme.id), 200);
    for (const { id } of runs) expect((await runIn(acme.api, id)).status).toBe('COMPLETED');
  });
});

describe('a renamed organisation', () => {
  it('is found by the new name at once, and by the former one with a word that it is former; nobody else can have either', async () => {
    const former = acme.slug;
    const slug = uniqueName('renamed');
    const { version } = await entry(acme.id);
    const answer = await rename(acme.id, version, { slug, name: 'Renamed' });
    expect(answer).toMatchObject({ status: 200, body: { slug, name: 'Renamed', version: version + 1 } });
    await eventually(async () => {
      expect((await acme.api.get('/v1/me', { 'x-tenant-slug': slug })).status).toBe(200);
    }, 1_000);
    const byFormer = await acme.api.get<{ tenant: { slug: string } }>('/v1/me', { 'x-tenant-slug': former });
    expect(byFormer).toMatchObject({ status: 200, body: { tenant: { slug } } });
    expect(byFormer.headers.get('x-tenant-slug')).toBe(slug);
    expect(byFormer.headers.get('deprecation')).toMatch(/^@\d{10}$/);
    const days = (Date.parse(byFormer.headers.get('sunset') ?? '') - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(89.9);
    expect(days).toBeLessThan(90.1);
    const byNew = await acme.api.get('/v1/me', { 'x-tenant-slug': slug });
    expect(byNew.headers.get('deprecation')).toBeNull();
    await signIn(app, former, acme.owner);
    await signIn(app, slug, acme.owner);
    for (const taken of [former, slug]) {
      const body = { slug: taken, name: 'x', owner: { email: 'a@b.example' } };
      expect(await refusal(operator.post('/v1/tenants', body))).toEqual({ status: 409, code: 'SLUG_TAKEN' });
      const theirs = (await entry(neighbour.id)).version;
      expect(await refusal(rename(neighbour.id, theirs, { slug: taken }) as never)).toEqual({
        status: 409,
        code: 'SLUG_TAKEN',
      });
    }
    expect(await refusal(neighbour.api.get('/v1/me', { 'x-tenant-slug': former }))).toEqual({
      status: 403,
      code: 'TENANT_MISMATCH',
    });
  });

  it('can have its former name back, and loses it to others when the 90 days are over', async () => {
    const first = acme.slug;
    const second = uniqueName('second');
    await must(rename(acme.id, 1, { slug: second }), 200);
    await must(rename(acme.id, 2, { slug: first }), 200);
    await must(rename(acme.id, 3, { slug: second }), 200);
    await signIn(app, first, acme.owner);
    await asSuperuser(app.home, 'us-east-1', async (database) => {
      await database.query(`UPDATE control.slugs SET until = now() WHERE slug = $1`, [first]);
      await database.query(`SELECT pg_notify('waxell', '{"kind":"tenant","tenant":"*","id":"*"}')`);
    });
    const anyone = client(app.baseUrl, undefined, { 'x-tenant-slug': first });
    const { email, password } = acme.owner;
    await eventually(
      async () => expect((await anyone.post('/v1/auth/login', { email, password })).status).toBe(401),
      2_000,
    );
    const heir = await createTenant(app, { slug: first });
    expect(
      (await heir.api.get<{ tenant: { id: string } }>('/v1/me', { 'x-tenant-slug': first })).body.tenant.id,
    ).toBe(heir.id);
  });

  it('gets one of two names that are asked for at once, and a name that two ask for goes to one', async () => {
    const slug = uniqueName('wanted');
    const [mine, theirs] = [await entry(acme.id), await entry(neighbour.id)];
    const answers = await Promise.all([
      rename(acme.id, mine.version, { slug }),
      rename(acme.id, mine.version, { slug: uniqueName('other') }),
      rename(neighbour.id, theirs.version, { slug }),
      operator.post('/v1/tenants', { slug, name: 'x', owner: { email: 'a@b.example' } }),
    ]);
    const statuses = answers.map(({ status }) => status);
    expect(statuses.slice(0, 2).filter((status) => status === 200)).toHaveLength(1);
    const holders = [statuses[0] === 200, statuses[2] === 200, statuses[3] === 201].filter(Boolean);
    expect(holders).toHaveLength(1);
    const all = await operator.all<OrganisationDto>('/v1/tenants');
    expect(all.filter((one) => one.slug === slug)).toHaveLength(1);
  });
});

describe('a deleted organisation', () => {
  it('is refused at once, says when it will be purged, and comes back whole when it is restored', async () => {
    const project = await createProject(acme.api);
    const deleted = await must(remove(acme.id), 202);
    const days = (Date.parse(deleted.purgeAfter ?? '') - Date.now()) / 86_400_000;
    expect(deleted.status).toBe('deleting');
    expect(Math.round(days)).toBe(14);
    await eventually(async () => expect(await refusal(acme.api.get('/v1/me'))).toEqual(DELETING), 1_000);
    const { email, password } = acme.owner;
    const anyone = client(app.baseUrl, undefined, { 'x-tenant-slug': acme.slug });
    expect(await refusal(anyone.post('/v1/auth/login', { email, password }))).toEqual(DELETING);
    const { items } = await must(operator.get<OperationsDto>(`/v1/tenants/${acme.id}/operations`), 200);
    expect(items).toContainEqual(
      expect.objectContaining({
        kind: 'tenant.purge',
        step: 'refuse',
        status: 'running',
        dueAt: deleted.purgeAfter,
      }),
    );
    const body = { slug: acme.slug, name: 'x', owner: { email: 'a@b.example' } };
    expect(await refusal(operator.post('/v1/tenants', body))).toEqual({ status: 409, code: 'SLUG_TAKEN' });
    const restored = await must(restore(acme.id), 200);
    expect(restored).toMatchObject({ status: 'active' });
    expect(restored).not.toHaveProperty('purgeAfter');
    await eventually(async () => expect(await acme.api.all('/v1/projects')).toEqual([project]), 1_000);
    await eventually(
      async () =>
        expect((await told(acme.api)).map(({ action }) => action)).toEqual([
          'tenant.deleted',
          'tenant.restored',
        ]),
      5_000,
    );
  });

  it('that was suspended is suspended again when it is restored', async () => {
    await must(suspend(acme.id), 200);
    await must(remove(acme.id, { graceDays: 30 }), 202);
    expect(await must(restore(acme.id), 200)).toMatchObject({ status: 'suspended', suspendedReason: REASON });
    await eventually(async () => expect(await refusal(acme.api.get('/v1/me'))).toEqual(SUSPENDED), 1_000);
  });

  it('without grace is gone in a moment: its name is free, its credentials are worth nothing', async () => {
    const deleted = await must(remove(acme.id, { graceDays: 0, confirm: acme.slug }), 202);
    expect(deleted.status).toBe('deleting');
    await eventually(
      async () =>
        expect(await refusal(operator.get(`/v1/tenants/${acme.id}`))).toEqual({
          status: 404,
          code: 'TENANT_GONE',
        }),
      20_000,
    );
    expect(await refusal(acme.api.get('/v1/me'))).toEqual({ status: 401, code: 'INVALID_CREDENTIAL' });
    const { items } = await must(operator.get<OperationsDto>(`/v1/tenants/${acme.id}/operations`), 200);
    expect(items.map(({ kind, status }) => [kind, status])).toContainEqual(['tenant.purge', 'done']);
    const heir = await createTenant(app, { slug: acme.slug });
    expect(heir.id).not.toBe(acme.id);
    expect(await heir.api.all('/v1/projects')).toEqual([]);
    for (const again of [suspend(acme.id), resume(acme.id), restore(acme.id), remove(acme.id)])
      expect(await refusal(again as never)).toEqual({ status: 404, code: 'TENANT_GONE' });
    await verified(neighbour.api);
  });
});

describe('what makes no sense', () => {
  const INVALID = { status: 400, code: 'INVALID_REQUEST' };
  const STATE = { status: 409, code: 'TENANT_STATE' };

  it.each([
    ['a grace of 31 days', { graceDays: 31 }],
    ['a grace of less than nothing', { graceDays: -1 }],
    ['a grace of half a day', { graceDays: 0.5 }],
    ['a grace that is a text', { graceDays: '14' }],
    ['no grace, and no confirmation', { graceDays: 0 }],
    ["no grace, and somebody else's name", { graceDays: 0, confirm: 'demo' }],
    ['a grace, and a wrong name', { graceDays: 14, confirm: 'demo' }],
    ['a member that there is none of', { grace: 14 }],
    ['a list', []],
  ])('is refused: deleting with %s', async (_what, body) => {
    expect(await refusal(remove(acme.id, body) as never)).toEqual(INVALID);
    expect(await entry(acme.id)).toMatchObject({ status: 'active', version: 1 });
    const { items } = await must(operator.get<OperationsDto>(`/v1/tenants/${acme.id}/operations`), 200);
    expect(items).toEqual([]);
  });

  it.each([{}, { reason: '' }, { reason: 7 }, { reason: 'x'.repeat(501) }, { reason: 'x', until: 'y' }])(
    'is refused: suspending with %j',
    async (body) => {
      expect(await refusal(operator.post(`/v1/tenants/${acme.id}/suspend`, body))).toEqual(INVALID);
      expect((await acme.api.get('/v1/me')).status).toBe(200);
    },
  );

  it('is refused: what is not possible in the state that it is in, and nothing changes', async () => {
    for (const no of [resume(acme.id), restore(acme.id)]) expect(await refusal(no as never)).toEqual(STATE);
    await must(suspend(acme.id), 200);
    for (const no of [suspend(acme.id), restore(acme.id)]) expect(await refusal(no as never)).toEqual(STATE);
    await must(remove(acme.id), 202);
    for (const no of [suspend(acme.id), resume(acme.id), remove(acme.id), rename(acme.id, 3, { name: 'x' })])
      expect(await refusal(no as never)).toEqual(STATE);
    expect(await entry(acme.id)).toMatchObject({ status: 'deleting', version: 3 });
    await must(restore(acme.id), 200);
  });

  it('is refused: a change without the version that it is for, or for an old one', async () => {
    expect(await refusal(operator.patch(`/v1/tenants/${acme.id}`, { name: 'x' }))).toEqual({
      status: 428,
      code: 'VERSION_REQUIRED',
    });
    expect(await refusal(rename(acme.id, 7, { name: 'x' }) as never)).toEqual({
      status: 412,
      code: 'VERSION_MISMATCH',
    });
    const any = operator.patch(`/v1/tenants/${acme.id}`, { name: 'x' }, { 'if-match': 'x' });
    expect(await refusal(any)).toEqual(INVALID);
    for (const body of [{ slug: 'A' }, { name: '' }, { name: null }, { status: 'active' }])
      expect(await refusal(rename(acme.id, 1, body) as never)).toEqual(INVALID);
    expect((await entry(acme.id)).name).toBe(acme.slug);
  });

  it.each(['t_ffffffffffffffff', 't_0000000000000000', 'acme', `t_'; DROP SCHEMA x; --`, '%00'])(
    'is refused: an organisation %s',
    async (id) => {
      const path = `/v1/tenants/${encodeURIComponent(id)}`;
      const asked = [
        operator.get(path),
        operator.get(`${path}/operations`),
        operator.patch(path, { name: 'x' }, { 'if-match': '"1"' }),
        operator.post(`${path}/suspend`, { reason: 'x' }),
        operator.post(`${path}/resume`),
        operator.post(`${path}/restore`),
        operator.send('DELETE', path, { body: {} }),
      ];
      for (const answer of asked)
        expect(await refusal(answer as never)).toEqual({ status: 404, code: 'NOT_FOUND' });
    },
  );

  it('is refused: an owner who does the operator’s work, at home or next door', async () => {
    const denied = { status: 403, code: 'PERMISSION_DENIED' };
    for (const { id } of [acme, neighbour]) {
      const path = `/v1/tenants/${id}`;
      const asked = [
        acme.api.get(path),
        acme.api.patch(path, { name: 'x' }, { 'if-match': '"1"' }),
        acme.api.post(`${path}/suspend`, { reason: 'x' }),
        acme.api.send('DELETE', path, { body: {} }),
      ];
      for (const answer of asked) expect(await refusal(answer as never)).toEqual(denied);
    }
  });
});
