import { beforeAll, describe, expect, it } from 'vitest';
import type { SecondFactorsDto, BegunTotpDto, EnrolledDto } from '../../src/mfa/mfa.dto.js';
import { client, must, refusal, type Client } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { eventually } from '../support/eventually.js';
import {
  BROWSER,
  challenged,
  daysPassed,
  login,
  proveFactor,
  setSecondFactor,
  signedInWith,
  withTotp,
} from '../support/second-factors.js';
import { sharedApplication } from '../support/shared-application.js';
import { steppedUp } from '../support/single-sign-on.js';
import { createPerson, createTenant, type Person, type TestTenant } from '../support/tenants.js';
import { codeBefore, codeNow, fromBase32, totpCode } from '../support/totp.js';

const app = sharedApplication();
const FAILED = { status: 401, code: 'SECOND_FACTOR_FAILED' };
const NO_CHALLENGE = { status: 401, code: 'CHALLENGE_INVALID' };
const WRONG = '000000';

interface Logged {
  readonly action: string;
  readonly outcome: string;
  readonly reason?: string;
  readonly changes?: Record<string, unknown>;
}

let acme: TestTenant;
let other: TestTenant;

beforeAll(async () => {
  [acme, other] = await Promise.all([createTenant(app), createTenant(app)]);
});

const events = (action: string): Promise<Logged[]> =>
  acme.api.all<Logged>(`/v1/audit/events?action=${action}`);
const developer = (): Promise<Person> => createPerson(acme.api, 'Developer');

describe('the app that these tests use', () => {
  it.each([
    [59, '94287082'],
    [1_111_111_109, '07081804'],
    [20_000_000_000, '65353130'],
  ])('shows what RFC 6238, appendix B has at second %i', (seconds, code) => {
    expect(totpCode(Buffer.from('12345678901234567890'), seconds, 8)).toBe(code);
    expect(fromBase32('GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ').toString()).toBe('12345678901234567890');
  });
});

describe('a telephone', () => {
  it('is not offered where the operator has named no gateway, whatever the organisation says', async () => {
    const tenant = await createTenant(app);
    const set = await setSecondFactor(await steppedUp(app, tenant), { textMessages: true });
    expect(set.secondFactor.textMessages).toBe(true);
    const session = await steppedUp(app, tenant, await createPerson(tenant.api, 'Developer'));
    expect(await refusal(session.post('/v1/me/second-factors/sms', { number: '+442079460000' }))).toEqual({
      status: 403,
      code: 'TEXT_MESSAGES_NOT_OFFERED',
    });
  });
});

describe('an authenticator app', () => {
  it('is set up by what a QR code shows, and counts once it has shown a right code', async () => {
    const person = await developer();
    const session = await steppedUp(app, acme, person);
    const begun = await must(session.post<BegunTotpDto>('/v1/me/second-factors/totp', { name: 'Mine' }), 201);
    expect(new URL(begun.uri).searchParams.get('secret')).toBe(begun.secret);
    expect(begun.qrCode).toMatch(/^<svg [\s\S]*<\/svg>$/);
    expect((await login(app, acme, person)).status).toBe(200);
    const confirm = (code: string) =>
      session.post<EnrolledDto>(`/v1/me/second-factors/totp/${begun.id}/confirm`, { code });
    expect(await refusal(confirm(WRONG))).toEqual({ status: 422, code: 'ENROLMENT_FAILED' });
    expect((await login(app, acme, person)).status).toBe(200);
    const enrolled = await must(confirm(await codeBefore(begun.secret)), 200);
    expect(enrolled).toMatchObject({ id: begun.id, type: 'totp', name: 'Mine' });
    expect(enrolled.recoveryCodes).toHaveLength(10);
    expect((await confirm(codeNow(begun.secret))).status).toBe(404);
    const due = await challenged(app, acme, person);
    expect(due).toMatchObject({ methods: ['totp', 'recovery_code'], expiresIn: 300 });
    expect((await proveFactor(app, due.challenge, { totp: codeNow(begun.secret) })).status).toBe(200);
  });

  it('is set up by a person who has proved themselves again, and by no API key', async () => {
    const person = await developer();
    const { accessToken } = (await login(app, acme, person)).body;
    const begin = (api: Client) => refusal(api.post('/v1/me/second-factors/totp', {}));
    expect(await begin(client(app.baseUrl, accessToken))).toEqual({ status: 403, code: 'STEP_UP_REQUIRED' });
    expect(await begin(acme.api)).toEqual({ status: 403, code: 'STEP_UP_NEEDS_SESSION' });
  });

  it('is stored encrypted, and told to nobody once it is set up', async () => {
    const { secret, session, recoveryCodes } = await withTotp(app, acme, await developer());
    const listed = await must(session.get<SecondFactorsDto>('/v1/me/second-factors'), 200);
    expect(listed).toMatchObject({ recoveryCodesLeft: 10, required: false });
    expect(JSON.stringify(listed)).not.toContain(secret);
    const { rows } = await asSuperuser(app.home, 'us-east-1', (database) =>
      database.query<{ text: string }>(
        `SELECT f::text AS text FROM "${acme.id}".second_factors f
          UNION ALL SELECT c::text FROM "${acme.id}".recovery_codes c`,
      ),
    );
    const stored = JSON.stringify(rows);
    expect(stored.length).toBeGreaterThan(500);
    for (const plain of [secret, fromBase32(secret).toString('base64'), ...recoveryCodes]) {
      expect(stored).not.toContain(plain);
      expect(stored).not.toContain(Buffer.from(plain).toString('hex'));
    }
    expect(stored).not.toContain(fromBase32(secret).toString('hex'));
  });

  it('of somebody else is not to be found by anybody, in the organisation or another', async () => {
    const { factor } = await withTotp(app, acme, await developer());
    const strangers = [await steppedUp(app, acme, await developer()), await steppedUp(app, other)];
    for (const stranger of strangers) {
      const path = `/v1/me/second-factors/${factor.id}`;
      const answers = [stranger.delete(path), stranger.patch(path, { name: 'x' })];
      for (const answer of answers) expect(await refusal(answer)).toEqual({ status: 404, code: 'NOT_FOUND' });
    }
  });
});

describe('a sign-in of somebody who has a second factor', () => {
  it('opens a session once the factor is proved, and says so in the log', async () => {
    const { person, secret } = await withTotp(app, acme, await developer());
    const answer = await login(app, acme, person);
    expect(answer.status).toBe(202);
    expect(answer.headers.get('set-cookie')).toBeNull();
    expect(Object.keys(answer.body).sort()).toEqual(['challenge', 'expiresIn', 'methods']);
    const done = await proveFactor(app, answer.body.challenge, { totp: codeNow(secret) });
    expect(Object.keys(done.body).sort()).toEqual(['accessToken', 'expiresIn', 'refreshToken']);
    expect(done.headers.get('set-cookie')).toContain('__Host-waxell_session=');
    expect((await client(app.baseUrl, done.body.accessToken).get('/v1/me')).status).toBe(200);
    const about = (list: Logged[]) => list.find(({ changes }) => changes?.['user'] === person.id);
    expect(about(await events('session.created'))).toMatchObject({
      outcome: 'success',
      changes: { method: 'password', secondFactor: 'totp' },
    });
    const proved = await events('second_factor.verified');
    expect(proved[0]).toMatchObject({
      outcome: 'success',
      resource: { type: 'user', id: person.id },
      changes: { method: 'totp' },
    });
    const asked = await events('second_factor.asked');
    expect(asked[0]).toMatchObject({ outcome: 'success', changes: { types: ['totp'] } });
  });

  it('fails as ever for a wrong password, and tells of no factor', async () => {
    const { person } = await withTotp(app, acme, await developer());
    const wrong = { ...person, password: `${person.password}x` };
    expect(await refusal(login(app, acme, wrong))).toEqual({ status: 401, code: 'SIGN_IN_FAILED' });
  });

  it('takes a code once, also from two requests at the same moment and with two challenges', async () => {
    const { person, secret } = await withTotp(app, acme, await developer());
    const challenges = await Promise.all([1, 2, 3].map(() => challenged(app, acme, person)));
    const totp = codeNow(secret);
    const answers = await Promise.all(
      challenges.map(({ challenge }) => proveFactor(app, challenge, { totp })),
    );
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 401, 401]);
    expect((await events('second_factor.verified'))[0]).toMatchObject({
      outcome: expect.any(String) as string,
    });
    const denied = (await events('session.created')).filter(({ reason }) => reason === 'FACTOR_REPLAYED');
    expect(denied.length).toBeGreaterThanOrEqual(2);
  });

  it('takes the code with which the app was set up no second time', async () => {
    const person = await developer();
    const session = await steppedUp(app, acme, person);
    const { id, secret } = await must(session.post<BegunTotpDto>('/v1/me/second-factors/totp', {}), 201);
    const code = codeNow(secret);
    await must(session.post(`/v1/me/second-factors/totp/${id}/confirm`, { code }), 200);
    const { challenge } = await challenged(app, acme, person);
    expect(await refusal(proveFactor(app, challenge, { totp: code }))).toEqual(FAILED);
    expect((await proveFactor(app, challenge, { totp: codeNow(secret, 1) })).status).toBe(200);
  });

  it('uses a challenge once, from the browser that began, and of the same organisation', async () => {
    const { person, secret, recoveryCodes } = await withTotp(app, acme, await developer());
    const { challenge } = await challenged(app, acme, person);
    const totp = codeNow(secret);
    const elsewhere = proveFactor(app, challenge, { totp }, { 'user-agent': 'Other/1.0' });
    expect(await refusal(elsewhere)).toEqual(NO_CHALLENGE);
    const foreign = `wxm_${other.id.slice(2)}_${challenge.slice(21)}`;
    expect(await refusal(proveFactor(app, foreign, { totp }))).toEqual(NO_CHALLENGE);
    const named = { ...BROWSER, 'x-tenant-slug': other.slug };
    expect((await proveFactor(app, challenge, { totp }, named)).status).toBe(401);
    expect((await proveFactor(app, challenge, { totp })).status).toBe(200);
    const again = proveFactor(app, challenge, { recoveryCode: recoveryCodes[0] ?? '' });
    expect(await refusal(again)).toEqual(NO_CHALLENGE);
    for (const nonsense of ['', 'wxm_', `wxm_${'0'.repeat(16)}_${'A'.repeat(43)}`])
      expect(await refusal(proveFactor(app, nonsense, { totp }))).toEqual(NO_CHALLENGE);
  });

  it('uses no challenge that is five minutes old', async () => {
    const { person, secret } = await withTotp(app, acme, await developer());
    const { challenge } = await challenged(app, acme, person);
    await asSuperuser(app.home, 'us-east-1', (database) =>
      database.query(
        `UPDATE "${acme.id}".second_factor_challenges SET expires_at = expires_at - make_interval(secs => 301) WHERE user_id = '${person.id}'`,
      ),
    );
    expect(await refusal(proveFactor(app, challenge, { totp: codeNow(secret) }))).toEqual(NO_CHALLENGE);
  });

  it('uses no challenge of somebody whose password was changed, or who was disabled, since', async () => {
    const { person, secret, session } = await withTotp(app, acme, await developer());
    const { challenge } = await challenged(app, acme, person);
    const change = { currentPassword: person.password, newPassword: 'another pass phrase 2 go' };
    expect((await session.post('/v1/auth/password', change)).status).toBe(204);
    const late = proveFactor(app, challenge, { totp: codeNow(secret) });
    expect(await refusal(late)).toEqual(NO_CHALLENGE);
    const anew = await challenged(app, acme, { ...person, password: change.newPassword });
    await must(acme.api.patch(`/v1/users/${person.id}`, { status: 'disabled' }), 200);
    const disabled = proveFactor(app, anew.challenge, { totp: codeNow(secret) });
    expect(await refusal(disabled)).toEqual(NO_CHALLENGE);
  });

  it.each([
    {},
    { totp: '12345' },
    { totp: 123456 },
    { totp: '123456', recoveryCode: 'aaaa-aaaa-aaaa-aaaa' },
    { webauthn: 'x' },
    { recoveryCode: 'short' },
    { totp: '123456', trustDevice: 'yes' },
    { totp: '123456', more: 1 },
  ])('is refused as %j', async (shown) => {
    const { person } = await withTotp(app, acme, await developer());
    const { challenge } = await challenged(app, acme, person);
    expect((await proveFactor(app, challenge, shown as object)).status).toBe(400);
  });
});

describe('wrong codes', () => {
  it('lock the account for strangers after five, whatever password is right in between, and not where it is known', async () => {
    const { person, secret, recoveryCodes } = await withTotp(app, acme, await developer());
    const stranger = { 'user-agent': 'Stranger/1.0' };
    for (let tried = 0; tried < 5; tried += 1) {
      const { challenge } = await challenged(app, acme, person, stranger);
      expect(await refusal(proveFactor(app, challenge, { totp: WRONG }, stranger))).toEqual(FAILED);
    }
    const { challenge } = await challenged(app, acme, person, stranger);
    const right = proveFactor(app, challenge, { recoveryCode: recoveryCodes[0] ?? '' }, stranger);
    expect(await refusal(right)).toEqual(FAILED);
    const locks = await events('account.locked');
    expect(locks[0]).toMatchObject({ changes: { what: 'factor-account', attempts: 5 } });
    // In the browser in which the person was before.
    const known = await challenged(app, acme, person, {});
    expect((await proveFactor(app, known.challenge, { totp: codeNow(secret) }, {})).status).toBe(200);
    await must(acme.api.post(`/v1/users/${person.id}/unlock`), 204);
    const unlocked = await challenged(app, acme, person, stranger);
    const code = { recoveryCode: recoveryCodes[0] ?? '' };
    expect((await proveFactor(app, unlocked.challenge, code, stranger)).status).toBe(200);
  });

  it('use a challenge up after five, many at once counted each', async () => {
    const { person, secret } = await withTotp(app, acme, await developer());
    const { challenge } = await challenged(app, acme, person);
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => proveFactor(app, challenge, { totp: WRONG })),
    );
    const codes = answers.map(({ body }) => (body as unknown as { code: string }).code);
    expect(codes.filter((code) => code === 'SECOND_FACTOR_FAILED')).toHaveLength(5);
    expect(codes.filter((code) => code === 'CHALLENGE_INVALID')).toHaveLength(7);
    expect(await refusal(proveFactor(app, challenge, { totp: codeNow(secret) }))).toEqual(NO_CHALLENGE);
  });
});

describe('recovery codes', () => {
  it('are ten, each good once, also for requests at the same moment', async () => {
    const { person, recoveryCodes } = await withTotp(app, acme, await developer());
    expect(new Set(recoveryCodes).size).toBe(10);
    for (const code of recoveryCodes)
      expect(code).toMatch(/^([0-9a-hjkmnp-tv-z]{4}-){3}[0-9a-hjkmnp-tv-z]{4}$/);
    const [first = ''] = recoveryCodes;
    const challenges = await Promise.all([1, 2, 3].map(() => challenged(app, acme, person)));
    const written = [first, first.toUpperCase(), first.replaceAll('-', ' ')];
    const answers = await Promise.all(
      challenges.map(({ challenge }, at) => proveFactor(app, challenge, { recoveryCode: written[at] ?? '' })),
    );
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 401, 401]);
    const used = await events('recovery_code.used');
    expect(
      used.filter((event) => (event as { resource?: { id: string } }).resource?.id === person.id),
    ).toHaveLength(1);
    expect(used[0]).toMatchObject({ outcome: 'success', changes: { left: 9 } });
  });

  it('of somebody else are none', async () => {
    const one = await withTotp(app, acme, await developer());
    const two = await withTotp(app, acme, await developer());
    const { challenge } = await challenged(app, acme, one.person);
    const foreign = proveFactor(app, challenge, { recoveryCode: two.recoveryCodes[0] ?? '' });
    expect(await refusal(foreign)).toEqual(FAILED);
  });

  it('are replaced by whoever has proved a factor again, and the former ones end', async () => {
    const known = await withTotp(app, acme, await developer());
    const session = await signedInWith(app, acme, known);
    const replace = () => session.post<{ recoveryCodes: string[] }>('/v1/me/recovery-codes');
    expect(await refusal(replace())).toEqual({ status: 403, code: 'STEP_UP_REQUIRED' });
    await must(session.post('/v1/auth/step-up', { totp: codeNow(known.secret) }), 200);
    const { recoveryCodes } = await must(replace(), 201);
    const { challenge } = await challenged(app, acme, known.person);
    const former = proveFactor(app, challenge, { recoveryCode: known.recoveryCodes[1] ?? '' });
    expect(await refusal(former)).toEqual(FAILED);
    const [recoveryCode = ''] = recoveryCodes;
    expect((await proveFactor(app, challenge, { recoveryCode })).status).toBe(200);
  });

  it('are not to be had without a second factor', async () => {
    const session = await steppedUp(app, acme, await developer());
    expect(await refusal(session.post('/v1/me/recovery-codes'))).toEqual({
      status: 422,
      code: 'NO_SECOND_FACTOR',
    });
  });
});

describe('proving oneself again', () => {
  it('asks for the second factor of who has one, and takes no password', async () => {
    const known = await withTotp(app, acme, await developer());
    const session = await signedInWith(app, acme, known);
    const stepUp = (body: object) => refusal(session.post('/v1/auth/step-up', body));
    const { methods } = await must(session.post<{ methods: string[] }>('/v1/auth/step-up/options'), 200);
    expect(methods).toEqual(['totp', 'recovery_code']);
    const NEEDED = { status: 403, code: 'SECOND_FACTOR_NEEDED' };
    expect(await stepUp({ password: known.person.password })).toEqual(NEEDED);
    expect(await stepUp({ password: 'a wrong password 1' })).toEqual(NEEDED);
    expect(await stepUp({ totp: WRONG })).toEqual({ status: 403, code: 'SECOND_FACTOR_WRONG' });
    expect((await stepUp({})).status).toBe(400);
    expect((await session.post('/v1/me/second-factors/totp', {})).status).toBe(403);
    expect((await session.post('/v1/auth/step-up', { totp: codeNow(known.secret) })).status).toBe(200);
    expect((await session.post('/v1/me/second-factors/totp', {})).status).toBe(201);
    const [event] = await events('session.stepped_up');
    expect(event).toMatchObject({ outcome: 'success', changes: { method: 'totp' } });
  });

  it('takes a password of who has none', async () => {
    const person = await developer();
    const { accessToken } = (await login(app, acme, person)).body;
    const session = client(app.baseUrl, accessToken);
    const { methods } = await must(session.post<{ methods: string[] }>('/v1/auth/step-up/options'), 200);
    expect(methods).toEqual(['password']);
    const wrong = session.post('/v1/auth/step-up', { totp: WRONG });
    expect(await refusal(wrong)).toEqual({ status: 403, code: 'SECOND_FACTOR_WRONG' });
    const { password } = person;
    expect((await session.post('/v1/auth/step-up', { password, totp: WRONG })).status).toBe(400);
    expect((await session.post('/v1/auth/step-up', { password })).status).toBe(200);
  });
});

describe('a second factor that is asked for', () => {
  it('is of Owners and Admins always, from so many days after the account began', async () => {
    const tenant = await createTenant(app);
    const admin = await createPerson(tenant.api, 'Admin');
    const viewer = await createPerson(tenant.api, 'Viewer');
    await daysPassed(app, tenant, 13);
    expect((await login(app, tenant, admin)).body).not.toHaveProperty('enrolmentOnly');
    await daysPassed(app, tenant, 1);
    expect((await login(app, tenant, tenant.owner)).body).toMatchObject({ enrolmentOnly: true });
    expect((await login(app, tenant, viewer)).body).not.toHaveProperty('enrolmentOnly');
    const { accessToken, ...rest } = (await login(app, tenant, admin)).body;
    expect(rest).toMatchObject({ enrolmentOnly: true });
    const session = client(app.baseUrl, accessToken);
    const MISSING = { status: 403, code: 'SECOND_FACTOR_MISSING' };
    for (const path of ['/v1/users', '/v1/agents', '/v1/auth/sessions', '/v1/audit/events'])
      expect(await refusal(session.get(path))).toEqual(MISSING);
    expect(await refusal(session.post('/v1/api-keys', { name: 'x', scopes: ['*:admin'] }))).toEqual(MISSING);
    expect(await refusal(session.patch('/v1/me', { displayName: 'x' }))).toEqual(MISSING);
    const change = { currentPassword: admin.password, newPassword: 'another pass phrase 2 go' };
    expect(await refusal(session.post('/v1/auth/password', change))).toEqual(MISSING);
    expect((await session.get('/v1/me')).status).toBe(200);
    const listed = await must(session.get<SecondFactorsDto>('/v1/me/second-factors'), 200);
    expect(listed).toMatchObject({ required: true, items: [] });
    expect(Date.parse(listed.requiredFrom ?? '')).toBeLessThan(Date.now());
    // API keys go on.
    expect((await tenant.api.get('/v1/users')).status).toBe(200);
  });

  it('ends where it is refreshed a session that was opened in the days of grace, once they are over', async () => {
    const tenant = await createTenant(app);
    const viewer = await createPerson(tenant.api, 'Viewer');
    await daysPassed(app, tenant, 13);
    const refresh = (refreshToken: string) =>
      client(app.baseUrl, undefined, BROWSER).post<{ refreshToken: string }>('/v1/auth/refresh', {
        refreshToken,
      });
    const opened = (await login(app, tenant, tenant.owner)).body;
    const theirs = (await login(app, tenant, viewer)).body;
    const refreshed = await must(refresh(opened.refreshToken), 200);
    await daysPassed(app, tenant, 1);
    expect(await refusal(refresh(refreshed.refreshToken))).toEqual({
      status: 401,
      code: 'INVALID_CREDENTIAL',
    });
    expect((await refresh(theirs.refreshToken)).status).toBe(200);
    // One that is good for setting up a factor goes on, and is good for nothing else.
    const anew = (await login(app, tenant, tenant.owner)).body;
    expect(anew).toMatchObject({ enrolmentOnly: true });
    expect((await refresh(anew.refreshToken)).status).toBe(200);
  });

  it('is set up by a session that is good for nothing else, which then is good for everything', async () => {
    const tenant = await createTenant(app);
    await daysPassed(app, tenant, 14);
    const { body } = await login(app, tenant, tenant.owner);
    const elsewhere = client(app.baseUrl, (await login(app, tenant, tenant.owner)).body.accessToken);
    const session = client(app.baseUrl, body.accessToken);
    const begun = await must(session.post<BegunTotpDto>('/v1/me/second-factors/totp', {}), 201);
    const path = `/v1/me/second-factors/totp/${begun.id}/confirm`;
    await must(session.post(path, { code: await codeBefore(begun.secret) }), 200);
    await eventually(async () => expect((await session.get('/v1/users')).status).toBe(200), 1_000);
    // Of another session nobody knows whose it is.
    await eventually(async () => expect((await elsewhere.get('/v1/me')).status).toBe(401), 1_000);
    expect((await login(app, tenant, tenant.owner)).status).toBe(202);
    const { accessToken } = await must<{ accessToken: string }>(
      client(app.baseUrl).post('/v1/auth/refresh', { refreshToken: body.refreshToken }),
      200,
    );
    expect((await client(app.baseUrl, accessToken).get('/v1/users')).status).toBe(200);
  });

  it('is of everybody where the organisation says so, whose days of grace begin then', async () => {
    const tenant = await createTenant(app);
    const viewer = await createPerson(tenant.api, 'Viewer');
    await daysPassed(app, tenant, 10);
    const session = await steppedUp(app, tenant);
    const set = await setSecondFactor(session, { requiredOf: 'everybody', graceDays: 1 });
    expect(set.secondFactor).toMatchObject({ requiredOf: 'everybody', graceDays: 1 });
    expect((await login(app, tenant, viewer)).body).not.toHaveProperty('enrolmentOnly');
    await setSecondFactor(session, { graceDays: 0 });
    expect((await login(app, tenant, viewer)).body).toMatchObject({ enrolmentOnly: true });
    const [event] = await tenant.api.all<Logged>('/v1/audit/events?action=auth_settings.updated');
    expect(event?.changes).toMatchObject({ secondFactor: { requiredOf: 'everybody', graceDays: 0 } });
  });

  it('is of somebody who becomes an Admin, with days of grace from then on', async () => {
    const tenant = await createTenant(app);
    const person = await createPerson(tenant.api, 'Viewer');
    await daysPassed(app, tenant, 100);
    await must(tenant.api.patch(`/v1/users/${person.id}`, { role: 'Admin' }), 200);
    expect((await login(app, tenant, person)).body).not.toHaveProperty('enrolmentOnly');
    await daysPassed(app, tenant, 14);
    expect((await login(app, tenant, person)).body).toMatchObject({ enrolmentOnly: true });
  });

  it('is of whoever is an Admin by a grant, be it a group of theirs that holds it, and as long as it does', async () => {
    const tenant = await createTenant(app);
    const person = await createPerson(tenant.api, 'Viewer');
    const other = await createPerson(tenant.api, 'Viewer');
    await daysPassed(app, tenant, 100);
    const inside = await must<{ id: string }>(tenant.api.post('/v1/groups', { displayName: 'inside' }), 201);
    const outside = await must<{ id: string }>(
      tenant.api.post('/v1/groups', { displayName: 'outside' }),
      201,
    );
    await must(tenant.api.patch(`/v1/groups/${outside.id}/members`, { addGroups: [inside.id] }), 200);
    await must(tenant.api.patch(`/v1/groups/${inside.id}/members`, { addPeople: [person.id] }), 200);
    expect((await login(app, tenant, person)).body).not.toHaveProperty('enrolmentOnly');
    const principal = { type: 'group', id: outside.id };
    const grant = await must<{ id: string }>(
      tenant.api.post('/v1/grants', { principal, role: 'Admin' }),
      201,
    );
    expect((await login(app, tenant, person)).body).toMatchObject({ enrolmentOnly: true });
    expect((await login(app, tenant, other)).body).not.toHaveProperty('enrolmentOnly');
    const asked = await tenant.api.get(`/v1/users/${person.id}/second-factors`);
    expect(asked.body).toMatchObject({ required: true });
    await must(tenant.api.delete(`/v1/grants/${grant.id}`), 204);
    expect((await login(app, tenant, person)).body).not.toHaveProperty('enrolmentOnly');
    const role = await must<{ id: string }>(
      tenant.api.post('/v1/roles', { name: 'Auditor', permissions: ['audit:export'] }),
      201,
    );
    const own = { principal: { type: 'user', id: other.id }, roleId: role.id };
    await must(tenant.api.post('/v1/grants', own), 201);
    expect((await login(app, tenant, other)).body).toMatchObject({ enrolmentOnly: true });
  });

  it.each([
    { requiredOf: 'nobody' },
    { graceDays: 31 },
    { graceDays: -1 },
    { trustedDeviceDays: 91 },
    { textMessages: 'yes' },
    { attestation: 'direct' },
    { attestation: 'direct', attestationRoots: ['no certificate'] },
    { allowedAaguids: ['x'] },
    { unknown: true },
    { requiredSince: '2026-01-01T00:00:00Z' },
  ])('is refused to be set as %j', async (change) => {
    const session = await steppedUp(app, acme);
    const { version: _, ...now } = await must(
      session.get<{ version: number; secondFactor: object }>('/v1/auth/settings'),
      200,
    );
    const body = { ...now, secondFactor: { ...now.secondFactor, ...change } };
    expect((await session.put('/v1/auth/settings', body)).status).toBe(400);
  });
});
