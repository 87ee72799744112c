import { setTimeout as sleep } from 'node:timers/promises';
import type { TokensDto } from '../../src/auth/auth.dto.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { publishedAgent, startRun } from '../support/agents.js';
import { sharedApplication } from '../support/shared-application.js';
import { client, must, refusal, type Answer, type Client } from '../support/client.js';
import {
  createApiKey,
  createPerson,
  createTenant,
  signIn,
  type Person,
  type TestTenant,
} from '../support/tenants.js';

const app = sharedApplication();
let acme: TestTenant;
let other: TestTenant;

beforeAll(async () => {
  acme = await createTenant(app);
  other = await createTenant(app);
});

const DEAD = { status: 401, code: 'INVALID_CREDENTIAL' };
const BROWSER = { 'user-agent': 'Browser/1.0' };

async function signInAnswer(
  slug: string,
  person: Pick<Person, 'email' | 'password'>,
): Promise<Answer<TokensDto>> {
  const { email, password } = person;
  const anyone = client(app.baseUrl, undefined, { 'x-tenant-slug': slug, ...BROWSER });
  return anyone.post<TokensDto>('/v1/auth/login', { email, password });
}

/** A client that is signed in as a browser is: by its cookie. */
function browser({ headers }: Answer<unknown>): Client {
  const [cookie = ''] = (headers.get('set-cookie') ?? '').split(';');
  return client(app.baseUrl, undefined, { cookie, ...BROWSER });
}

function refresh(refreshToken: string): Promise<Answer<TokensDto>> {
  return client(app.baseUrl).post<TokensDto>('/v1/auth/refresh', { refreshToken });
}

describe('a sign-in', () => {
  it('gives tokens, and a cookie that scripts and other sites cannot use', async () => {
    const answer = await signInAnswer(acme.slug, acme.owner);
    expect(answer.body.expiresIn).toBe(900);
    expect(answer.headers.get('set-cookie')).toMatch(
      /^__Host-waxell_session=[^;]+; Max-Age=86400; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
    );
    const me = await client(app.baseUrl, answer.body.accessToken).get<{ user: { email: string } }>('/v1/me');
    expect(me.body.user.email).toBe(acme.owner.email);
    expect((await browser(answer).get('/v1/me')).status).toBe(200);
  });

  it('does not care for the case of the address', async () => {
    const person = { ...acme.owner, email: acme.owner.email.toUpperCase() };
    expect((await signInAnswer(acme.slug, person)).status).toBe(200);
  });

  it('fails alike for a wrong password, an unknown person, an unknown organisation and none', async () => {
    const { email, password } = acme.owner;
    const attempts = [
      signInAnswer(acme.slug, { email, password: `${password}x` }),
      signInAnswer(acme.slug, { email: 'nobody@acme.example', password }),
      signInAnswer('no-such-organisation', { email, password }),
      signInAnswer(other.slug, { email, password }),
      client(app.baseUrl).post<TokensDto>('/v1/auth/login', { email, password }),
    ];
    const answers = await Promise.all(attempts);
    const seen = answers.map(({ status, body, headers }) => {
      const { requestId: _id, ...problem } = body as unknown as { requestId: string };
      return JSON.stringify([status, problem, headers.get('set-cookie')]);
    });
    expect(new Set(seen).size).toBe(1);
    expect(answers[0]?.status).toBe(401);
  });

  it('that failed stands in the log with the address, which is stored encrypted, and never with the password', async () => {
    const { headers } = await signInAnswer(acme.slug, {
      email: 'typo@acme.example',
      password: 'a wrong password 1',
    });
    const events = await acme.api.all<Record<string, unknown>>('/v1/audit/events?action=session.created');
    const event = events.find(
      ({ request }) => (request as { id: string }).id === headers.get('x-request-id'),
    );
    expect(event).toMatchObject({
      outcome: 'denied',
      reason: 'SIGN_IN_FAILED',
      actor: { type: 'anonymous' },
    });
    expect(JSON.stringify(event)).toContain('typo@acme.example');
    expect(JSON.stringify(events)).not.toContain('a wrong password 1');
  });
});

describe('a cookie', () => {
  it('is refused from another browser', async () => {
    const signedIn = browser(await signInAnswer(acme.slug, acme.owner));
    expect(await refusal(signedIn.with({ 'user-agent': 'Other/1.0' }).get('/v1/me'))).toEqual(DEAD);
  });

  it.each([
    ['says nothing of its origin', {}],
    ['comes from another site', { 'sec-fetch-site': 'cross-site' }],
    ['comes from a sibling site', { 'sec-fetch-site': 'same-site' }],
    ['was typed', { 'sec-fetch-site': 'none' }],
    ['has another origin', { origin: 'https://evil.example' }],
    ['has no origin', { origin: 'null' }],
  ])('is refused for a change that %s', async (_what, headers) => {
    const signedIn = browser(await signInAnswer(acme.slug, acme.owner));
    const answer = signedIn.with(headers as Record<string, string>).post('/v1/projects', { name: 'x' });
    expect(await refusal(answer)).toEqual({ status: 403, code: 'CROSS_SITE_REQUEST' });
  });

  it('makes changes from its own site', async () => {
    const signedIn = browser(await signInAnswer(acme.slug, acme.owner));
    const here: Record<string, string>[] = [{ 'sec-fetch-site': 'same-origin' }, { origin: app.baseUrl }];
    for (const headers of here) {
      const answer = await signedIn.with(headers).post('/v1/projects', { name: 'x' });
      expect(answer.status).toBe(201);
    }
  });

  it('is of no use for another tenant', async () => {
    const signedIn = browser(await signInAnswer(acme.slug, acme.owner));
    const answer = signedIn.with({ 'x-tenant-slug': other.slug }).get('/v1/me');
    expect(await refusal(answer)).toEqual({ status: 403, code: 'TENANT_MISMATCH' });
  });
});

describe('a refresh token', () => {
  it('gives new tokens once; a second use ends the whole session', async () => {
    const answer = await signInAnswer(acme.slug, acme.owner);
    const rotated = await must(refresh(answer.body.refreshToken), 200);
    expect((await client(app.baseUrl, rotated.accessToken).get('/v1/me')).status).toBe(200);
    expect(await refusal(refresh(answer.body.refreshToken) as never)).toEqual(DEAD);
    expect(await refusal(refresh(rotated.refreshToken) as never)).toEqual(DEAD);
    await sleep(200);
    for (const token of [answer.body.accessToken, rotated.accessToken])
      expect(await refusal(client(app.baseUrl, token).get('/v1/me'))).toEqual(DEAD);
    expect(await refusal(browser(answer).get('/v1/me'))).toEqual(DEAD);
    const events = await acme.api.all<{ outcome: string }>('/v1/audit/events?action=session.refreshed');
    expect(events.filter(({ outcome }) => outcome === 'denied').length).toBeGreaterThanOrEqual(1);
  });

  it('gives new tokens at most once to many who come at the same time', async () => {
    const { refreshToken } = await signIn(app, acme.slug, acme.owner);
    const answers = await Promise.all(Array.from({ length: 6 }, () => refresh(refreshToken)));
    expect(answers.filter(({ status }) => status === 200).length).toBeLessThanOrEqual(1);
    expect(answers.every(({ status }) => status === 200 || status === 401)).toBe(true);
  });

  it.each(['wxr_x_y', `wxr_${'0'.repeat(16)}_${'a'.repeat(43)}`])(
    'is refused when nobody issued it: %s',
    async (text) => {
      expect(await refusal(refresh(text) as never)).toEqual(DEAD);
    },
  );
});

describe('a sign-out', () => {
  it('ends cookie, access token and refresh token of this session, and no other', async () => {
    const answer = await signInAnswer(acme.slug, acme.owner);
    const elsewhere = await signIn(app, acme.slug, acme.owner);
    const signedIn = browser(answer).with({ 'sec-fetch-site': 'same-origin' });
    const ended = await signedIn.post('/v1/auth/logout');
    expect([ended.status, ended.headers.get('set-cookie')]).toEqual([
      204,
      expect.stringContaining('Max-Age=0'),
    ]);
    await sleep(200);
    expect(await refusal(signedIn.get('/v1/me'))).toEqual(DEAD);
    expect(await refusal(client(app.baseUrl, answer.body.accessToken).get('/v1/me'))).toEqual(DEAD);
    expect(await refusal(refresh(answer.body.refreshToken) as never)).toEqual(DEAD);
    expect((await client(app.baseUrl, elsewhere.accessToken).get('/v1/me')).status).toBe(200);
  });

  it('is not for API keys', async () => {
    expect(await refusal(acme.api.post('/v1/auth/logout'))).toEqual({ status: 422, code: 'NO_SESSION' });
  });
});

describe('a person who is disabled', () => {
  it('is out on every channel within a second, and a stream that was open ends', async () => {
    const person = await createPerson(acme.api, 'Developer');
    const answer = await signInAnswer(acme.slug, person);
    const { key } = await createApiKey(client(app.baseUrl, answer.body.accessToken), ['*:admin']);
    const channels = [
      client(app.baseUrl, answer.body.accessToken),
      browser(answer),
      client(app.baseUrl, key),
    ];
    const agent = await publishedAgent(acme.api, { model: { name: 'demo-slow' } });
    const run = await startRun(acme.api, agent.id);
    const streams = channels.map(async (channel) => {
      const seen: string[] = [];
      for await (const { type } of channel.events(`/v1/runs/${run.id}/events`)) seen.push(type);
      return { seen, endedAt: Date.now() };
    });
    for (const channel of channels) expect((await channel.get('/v1/me')).status).toBe(200);
    await sleep(1_000);
    await must(acme.api.patch(`/v1/users/${person.id}`, { status: 'disabled' }), 200);
    const disabledAt = Date.now();
    await sleep(500);
    for (const channel of channels) expect(await refusal(channel.get('/v1/me'))).toEqual(DEAD);
    expect(await refusal(refresh(answer.body.refreshToken) as never)).toEqual(DEAD);
    expect((await signInAnswer(acme.slug, person)).status).toBe(401);
    for (const { seen, endedAt } of await Promise.all(streams)) {
      expect(endedAt - disabledAt).toBeLessThan(1_000);
      expect(seen).not.toContain('run.completed');
      expect(seen.length).toBeGreaterThan(0);
    }
  });

  it('stays out of everything issued before when enabled again', async () => {
    const person = await createPerson(acme.api, 'Developer');
    const answer = await signInAnswer(acme.slug, person);
    const { key } = await createApiKey(client(app.baseUrl, answer.body.accessToken), ['profile:read']);
    await must(acme.api.patch(`/v1/users/${person.id}`, { status: 'disabled' }), 200);
    await must(acme.api.patch(`/v1/users/${person.id}`, { status: 'active' }), 200);
    await sleep(200);
    const channels = [
      client(app.baseUrl, answer.body.accessToken),
      browser(answer),
      client(app.baseUrl, key),
    ];
    for (const channel of channels) expect(await refusal(channel.get('/v1/me'))).toEqual(DEAD);
    expect(await refusal(refresh(answer.body.refreshToken) as never)).toEqual(DEAD);
    expect((await signInAnswer(acme.slug, person)).status).toBe(200);
  });
});

describe('a person whose role is changed', () => {
  it('signs in anew; what was issued to the person before does not carry the former role on', async () => {
    const person = await createPerson(acme.api, 'Admin');
    const answer = await signInAnswer(acme.slug, person);
    const { key } = await createApiKey(client(app.baseUrl, answer.body.accessToken), ['*:admin']);
    await must(acme.api.patch(`/v1/users/${person.id}`, { role: 'Viewer' }), 200);
    await sleep(200);
    for (const channel of [client(app.baseUrl, answer.body.accessToken), browser(answer)])
      expect(await refusal(channel.get('/v1/me'))).toEqual(DEAD);
    expect(await refusal(refresh(answer.body.refreshToken) as never)).toEqual(DEAD);
    expect((await client(app.baseUrl, key).get('/v1/me')).status).toBe(200);
    expect((await client(app.baseUrl, key).get('/v1/users')).status).toBe(403);
  });
});
