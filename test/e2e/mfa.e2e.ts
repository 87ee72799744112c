import { beforeAll, describe, expect, it } from 'vitest';
import type { BegunTotpDto, EnrolledDto, SecondFactorsDto } from '../../src/mfa/mfa.dto.js';
import { client, must, refusal, type Client } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import {
  BROWSER,
  challenged,
  eventsOf,
  login,
  proveFactor,
  setSecondFactor,
  withTotp,
} from '../support/second-factors.js';
import { sharedApplication } from '../support/shared-application.js';
import { steppedUp, type LoggedSignIn } from '../support/single-sign-on.js';
import { createPerson, createTenant, type Person, type TestTenant } from '../support/tenants.js';
import { codeBefore, codeNow, fromBase32, totpCode } from '../support/totp.js';

const app = sharedApplication();
const FAILED = { status: 401, code: 'SECOND_FACTOR_FAILED' };
const NO_CHALLENGE = { status: 401, code: 'CHALLENGE_INVALID' };
const WRONG = '000000';
let acme: TestTenant;
let other: TestTenant;

beforeAll(async () => {
  [acme, other] = await Promise.all([createTenant(app), createTenant(app)]);
});

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
    const about = (list: LoggedSignIn[]) => list.find(({ changes }) => changes?.['user'] === person.id);
    expect(about(await eventsOf(acme, 'session.created'))).toMatchObject({
      outcome: 'success',
      changes: { method: 'password', secondFactor: 'totp' },
    });
    const proved = await eventsOf(acme, 'second_factor.verified');
    expect(proved[0]).toMatchObject({
      outcome: 'success',
      resource: { type: 'user', id: person.id },
      changes: { method: 'totp' },
    });
    const asked = await eventsOf(acme, 'second_factor.asked');
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
    expect((await eventsOf(acme, 'second_factor.verified'))[0]).toMatchObject({
      outcome: expect.any(String) as string,
    });
    const denied = (await eventsOf(acme, 'session.created')).filter(
      ({ reason }) => reason === 'FACTOR_REPLAYED',
    );
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
