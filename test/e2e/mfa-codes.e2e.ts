import { beforeAll, describe, expect, it } from 'vitest';
import { client, must, refusal } from '../support/client.js';
import {
  challenged,
  eventsOf,
  login,
  proveFactor,
  signedInWith,
  withTotp,
} from '../support/second-factors.js';
import { sharedApplication } from '../support/shared-application.js';
import { steppedUp } from '../support/single-sign-on.js';
import { createPerson, createTenant, type Person, type TestTenant } from '../support/tenants.js';
import { codeNow } from '../support/totp.js';

const app = sharedApplication();
const FAILED = { status: 401, code: 'SECOND_FACTOR_FAILED' };
const NO_CHALLENGE = { status: 401, code: 'CHALLENGE_INVALID' };
const WRONG = '000000';
let acme: TestTenant;

beforeAll(async () => {
  acme = await createTenant(app);
});

const developer = (): Promise<Person> => createPerson(acme.api, 'Developer');

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
    const locks = await eventsOf(acme, 'account.locked');
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
    const used = await eventsOf(acme, 'recovery_code.used');
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
    const [event] = await eventsOf(acme, 'session.stepped_up');
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
