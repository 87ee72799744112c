import { beforeEach, describe, expect, it } from 'vitest';
import type { TokensDto } from '../../src/auth/auth.dto.js';
import type { EndedSessionsDto, SessionsDto } from '../../src/auth/sessions.dto.js';
import type { SignInSettingsDto } from '../../src/sign-in/sign-in-settings.dto.js';
import { client, must, refusal, type Answer, type Client } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { eventually } from '../support/eventually.js';
import { sharedApplication } from '../support/shared-application.js';
import { createPerson, createTenant, signIn, type Person, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const DEAD = { status: 401, code: 'INVALID_CREDENTIAL' };
const BROWSER = { 'user-agent': 'Browser/1.0' };
const HOUR = 3_600;
let acme: TestTenant;
/** The owner, with a password proved again. */
let owner: Client;

beforeEach(async () => {
  acme = await createTenant(app);
  owner = client(app.baseUrl, (await signIn(app, acme.slug, acme.owner)).accessToken);
  await must(owner.post('/v1/auth/step-up', { password: acme.owner.password }), 200);
});

async function setRules(change: Partial<SignInSettingsDto>): Promise<SignInSettingsDto> {
  const { version: _version, ...now } = await must(owner.get<SignInSettingsDto>('/v1/auth/settings'), 200);
  return must(owner.put<SignInSettingsDto>('/v1/auth/settings', { ...now, ...change }), 200);
}

function signedIn(
  { email, password }: Person,
  headers: Record<string, string> = BROWSER,
): Promise<Answer<TokensDto>> {
  const anyone = client(app.baseUrl, undefined, { 'x-tenant-slug': acme.slug, ...headers });
  return anyone.post<TokensDto>('/v1/auth/login', { email, password });
}

function browser({ headers }: Answer<unknown>): Client {
  const [cookie = ''] = (headers.get('set-cookie') ?? '').split(';');
  return client(app.baseUrl, undefined, { cookie, 'sec-fetch-site': 'same-origin', ...BROWSER });
}

/** As if the tenant's sessions had been opened, or used, so many seconds before; no process has them in memory. */
async function passed(column: 'created_at' | 'last_used_at', seconds: number): Promise<void> {
  await asSuperuser(app.home, 'us-east-1', async (database) => {
    await database.query(
      `UPDATE "${acme.id}".sessions SET ${column} = ${column} - make_interval(secs => ${seconds})`,
    );
    const change = JSON.stringify({ kind: 'tenant', tenant: acme.id, id: acme.id });
    await database.query('SELECT pg_notify($1, $2)', ['waxell', change]);
  });
}

const sessionsOf = async (api: Client): Promise<SessionsDto['items']> =>
  (await must(api.get<SessionsDto>('/v1/auth/sessions'), 200)).items;

describe('the rules of sign-in', () => {
  it('are the defaults until they are set, have a version, and are set after a password was proved again', async () => {
    const { version, ...rules } = await must(owner.get<SignInSettingsDto>('/v1/auth/settings'), 200);
    expect({ version, ...rules }).toEqual({
      sessionSeconds: 24 * HOUR,
      idleSeconds: null,
      refreshSeconds: 7 * 24 * HOUR,
      binding: 'network',
      bindTokens: false,
      concurrentSessions: 10,
      passwordHistory: 5,
      secondFactor: {
        requiredOf: 'admins',
        graceDays: 14,
        trustedDeviceDays: 30,
        textMessages: false,
        attestation: 'none',
        attestationRoots: [],
        allowedAaguids: [],
      },
      version: 0,
    });
    const again = client(app.baseUrl, (await signIn(app, acme.slug, acme.owner)).accessToken);
    const put = (api: Client, headers = {}) => refusal(api.put('/v1/auth/settings', rules, headers));
    expect(await put(again)).toEqual({ status: 403, code: 'STEP_UP_REQUIRED' });
    expect(await put(acme.api)).toEqual({ status: 403, code: 'STEP_UP_NEEDS_SESSION' });
    expect((await put(owner, { 'if-match': '"0"' })).status).toBe(200);
    expect(await put(owner, { 'if-match': '"0"' })).toEqual({ status: 412, code: 'VERSION_MISMATCH' });
    const events = await acme.api.all<object>('/v1/audit/events?action=auth_settings.updated');
    expect(events[2]).toMatchObject({ outcome: 'denied' });
    expect(events[1]).toMatchObject({ outcome: 'success', changes: { version: 1, binding: 'network' } });
  });

  it.each([
    { sessionSeconds: HOUR - 1 },
    { sessionSeconds: 7 * 24 * HOUR + 1 },
    { idleSeconds: 299 },
    { binding: 'country' },
    { concurrentSessions: 0 },
    { passwordHistory: 25 },
    { refreshSeconds: null },
    { bindTokens: 'yes' },
    { unknown: 1 },
  ])('are refused as %j', async (change) => {
    const { version: _version, ...rules } = await must(
      owner.get<SignInSettingsDto>('/v1/auth/settings'),
      200,
    );
    expect((await owner.put('/v1/auth/settings', { ...rules, ...change })).status).toBe(400);
  });

  it('end a session when it is as old as they say, also one that was opened before they did', async () => {
    const answer = await signedIn(acme.owner);
    expect(answer.headers.get('set-cookie')).toContain('Max-Age=86400');
    await passed('created_at', 2 * HOUR);
    expect((await browser(answer).get('/v1/me')).status).toBe(200);
    await setRules({ sessionSeconds: HOUR });
    expect(await refusal(browser(answer).get('/v1/me'))).toEqual(DEAD);
    const later = await signedIn(acme.owner);
    expect(later.headers.get('set-cookie')).toContain('Max-Age=3600');
    expect((await browser(later).get('/v1/me')).status).toBe(200);
  });

  it('end the exchange of refresh tokens when the sign-in is as old as they say', async () => {
    await setRules({ refreshSeconds: HOUR });
    const anyone = client(app.baseUrl);
    const { body } = await signedIn(acme.owner);
    const next = await must(
      anyone.post<TokensDto>('/v1/auth/refresh', { refreshToken: body.refreshToken }),
      200,
    );
    await passed('created_at', HOUR);
    const late = anyone.post('/v1/auth/refresh', { refreshToken: next.refreshToken });
    expect(await refusal(late)).toEqual(DEAD);
  });

  it('end a session that was not used for as long as they say: cookie, access token and refresh token', async () => {
    await setRules({ idleSeconds: 600 });
    const answer = await signedIn(acme.owner);
    const rested = await signedIn(acme.owner);
    await passed('last_used_at', 500);
    expect((await browser(rested).get('/v1/me')).status).toBe(200);
    // Of the other one no use was noted, which would be written at any moment.
    await passed('last_used_at', 300);
    expect(await refusal(browser(answer).get('/v1/me'))).toEqual(DEAD);
    expect(await refusal(client(app.baseUrl, answer.body.accessToken).get('/v1/me'))).toEqual(DEAD);
    const refresh = client(app.baseUrl).post('/v1/auth/refresh', { refreshToken: answer.body.refreshToken });
    expect(await refusal(refresh)).toEqual(DEAD);
  });

  it('bind tokens to browser and place where they say so', async () => {
    const answer = await signedIn(acme.owner);
    const token = client(app.baseUrl, answer.body.accessToken);
    const elsewhere = token.with({ 'user-agent': 'Other/1.0' });
    expect((await elsewhere.get('/v1/me')).status).toBe(200);
    await setRules({ bindTokens: true });
    expect(await refusal(elsewhere.get('/v1/me'))).toEqual(DEAD);
    expect((await token.with(BROWSER).get('/v1/me')).status).toBe(200);
    const { refreshToken } = answer.body;
    const refresh = (headers: Record<string, string>) =>
      client(app.baseUrl, undefined, headers).post('/v1/auth/refresh', { refreshToken });
    expect(await refusal(refresh({ 'user-agent': 'Other/1.0' }))).toEqual(DEAD);
    expect((await refresh(BROWSER)).status).toBe(200);
  });

  it('end the oldest session of a person who opens one too many, also when many are opened at once', async () => {
    await setRules({ concurrentSessions: 3 });
    const person = await createPerson(acme.api, 'Developer');
    const oldest = await signedIn(person);
    await Promise.all(Array.from({ length: 6 }, () => signedIn(person)));
    const newest = await signedIn(person);
    expect(await sessionsOf(browser(newest))).toHaveLength(3);
    await eventually(async () => expect(await refusal(browser(oldest).get('/v1/me'))).toEqual(DEAD), 1_000);
    expect((await owner.get('/v1/me')).status).toBe(200);
  });

  it('end one that nobody used for too long, or whose time is over, before one that is used', async () => {
    await setRules({ concurrentSessions: 2, idleSeconds: 600 });
    const overBy = { rested: "last_used_at = now() - interval '1 hour'", ended: 'ends_at = now()' };
    for (const over of Object.values(overBy)) {
      const person = await createPerson(acme.api, 'Developer');
      const used = await signedIn(person);
      await signedIn(person);
      await asSuperuser(app.home, 'us-east-1', (database) =>
        database.query(
          `UPDATE "${acme.id}".sessions SET ${over} WHERE id = (
             SELECT id FROM "${acme.id}".sessions WHERE user_id = $1 ORDER BY created_at DESC LIMIT 1)`,
          [person.id],
        ),
      );
      const newest = await signedIn(person);
      for (const one of [used, newest]) expect((await browser(one).get('/v1/me')).status).toBe(200);
      await signedIn(person);
      await eventually(async () => expect(await refusal(browser(used).get('/v1/me'))).toEqual(DEAD), 1_000);
    }
  });
});

it('an address is unlocked by an administrator, under the key by which it is counted', async () => {
  const unlock = (api: Client, address: unknown) =>
    refusal(api.post('/v1/auth/addresses/unlock', { address }));
  for (const address of ['203.0.113.7', '2001:db8::1'])
    expect((await unlock(acme.api, address)).status).toBe(204);
  for (const address of ['203.0.113.0/24', 'somewhere', 7])
    expect((await unlock(acme.api, address)).status).toBe(400);
  const developer = await createPerson(acme.api, 'Developer');
  const { accessToken } = await signIn(app, acme.slug, developer);
  expect((await unlock(client(app.baseUrl, accessToken), '203.0.113.7')).status).toBe(403);
  const events = await acme.api.all<object>('/v1/audit/events?action=account.unlocked');
  expect(JSON.stringify(events)).not.toContain('203.0.113');
  expect(events.at(-1)).toMatchObject({
    resource: { type: 'address', id: expect.stringMatching(/^address:[0-9a-f]{4}$/) as string },
  });
});

describe("a person's sessions", () => {
  it('are listed with when, how and from where they were opened, which is stored encrypted', async () => {
    const answer = await signedIn(acme.owner);
    const items = await sessionsOf(browser(answer));
    expect(items).toHaveLength(3);
    expect(items[0]).toMatchObject({ current: true, method: 'password', userAgent: 'Browser/1.0' });
    expect(items[0]?.address).toMatch(/127\.0\.0\.1$/);
    expect(items.slice(1).every(({ current }) => !current)).toBe(true);
    const rows = await asSuperuser(app.home, 'us-east-1', (database) =>
      database.query<{ text: string }>(`SELECT s::text AS text FROM "${acme.id}".sessions s`),
    );
    const sealed = Buffer.from('Browser/1.0').toString('hex');
    expect(JSON.stringify(rows.rows)).not.toMatch(new RegExp(`Browser|${sealed}|127\\.0\\.0`));
  });

  it('are ended one by one, and no other', async () => {
    const [first, second] = [await signedIn(acme.owner), await signedIn(acme.owner)];
    const id = (await sessionsOf(browser(first))).find(({ current }) => current)?.id ?? '';
    expect((await browser(second).delete(`/v1/auth/sessions/${id}`)).status).toBe(204);
    await eventually(async () => expect(await refusal(browser(first).get('/v1/me'))).toEqual(DEAD), 1_000);
    expect(await refusal(client(app.baseUrl, first.body.accessToken).get('/v1/me'))).toEqual(DEAD);
    expect((await browser(second).get('/v1/me')).status).toBe(200);
    expect((await browser(second).delete(`/v1/auth/sessions/${id}`)).status).toBe(204);
    const events = await acme.api.all<object>('/v1/audit/events?action=session.revoked');
    expect(events[0]).toMatchObject({ resource: { type: 'session', id }, actor: { id: acme.owner.id } });
  });

  it('are all ended but the one that asks', async () => {
    const [here, there] = [await signedIn(acme.owner), await signedIn(acme.owner)];
    const { ended } = await must(browser(here).delete<EndedSessionsDto>('/v1/auth/sessions'), 200);
    expect(ended).toBe(3);
    await eventually(async () => expect(await refusal(browser(there).get('/v1/me'))).toEqual(DEAD), 1_000);
    expect((await browser(here).get('/v1/me')).status).toBe(200);
  });

  it('are nobody else’s to end, of the same organisation or of another', async () => {
    const other = await createTenant(app);
    const person = await createPerson(acme.api, 'Viewer');
    const viewer = browser(await signedIn(person));
    const [{ id } = { id: '' }] = await sessionsOf(owner);
    for (const api of [viewer, other.api])
      expect(await refusal(api.delete(`/v1/auth/sessions/${id}`))).toEqual({
        status: 404,
        code: 'NOT_FOUND',
      });
    expect(await refusal(other.api.get(`/v1/users/${acme.owner.id}/sessions`))).toEqual({
      status: 404,
      code: 'NOT_FOUND',
    });
    expect((await owner.get('/v1/me')).status).toBe(200);
  });

  it('are ended by an administrator, but not those of somebody above', async () => {
    const admin = client(
      app.baseUrl,
      (await signedIn(await createPerson(acme.api, 'Admin'))).body.accessToken,
    );
    const person = await createPerson(acme.api, 'Developer');
    const theirs = browser(await signedIn(person));
    expect((await must(admin.get<SessionsDto>(`/v1/users/${person.id}/sessions`), 200)).items).toHaveLength(
      1,
    );
    const ended = await must(admin.delete<EndedSessionsDto>(`/v1/users/${person.id}/sessions`), 200);
    expect(ended).toEqual({ ended: 1 });
    await eventually(async () => expect(await refusal(theirs.get('/v1/me'))).toEqual(DEAD), 1_000);
    expect(await refusal(admin.delete(`/v1/users/${acme.owner.id}/sessions`))).toEqual({
      status: 403,
      code: 'GRANT_EXCEEDS_OWN',
    });
  });
});
