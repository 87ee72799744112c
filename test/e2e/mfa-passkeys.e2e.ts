import { beforeAll, describe, expect, it } from 'vitest';
import type { PasskeyOptionsDto, StepUpOptionsDto } from '../../src/mfa/mfa.dto.js';
import type { RequestOptions } from '../support/authenticator.js';
import { client, must, refusal, type Client } from '../support/client.js';
import { BROWSER, eventsOf } from '../support/second-factors.js';
import { lastReason, passkeyOptions, showPasskey, withKey, withPasskey } from '../support/security-keys.js';
import { sharedApplication } from '../support/shared-application.js';
import { createPerson, createTenant, type Person, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const NO_PASSKEY = { status: 401, code: 'PASSKEY_FAILED' };
let acme: TestTenant;
let other: TestTenant;

beforeAll(async () => {
  [acme, other] = await Promise.all([createTenant(app), createTenant(app)]);
});

const developer = (): Promise<Person> => createPerson(acme.api, 'Developer');

describe('a passkey', () => {
  it('signs in alone, and says so of the session and in the log', async () => {
    const { person, key } = await withKey(app, acme, await developer());
    const answer = await withPasskey(app, acme, key);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('set-cookie')).toContain('__Host-waxell_session=');
    const session = client(app.baseUrl, answer.body.accessToken, BROWSER);
    const me = await must(session.get<{ user: { id: string } }>('/v1/me'), 200);
    expect(me.user.id).toBe(person.id);
    const { items } = await must(session.get<{ items: { method: string }[] }>('/v1/auth/sessions'), 200);
    expect(items[0]?.method).toBe('passkey');
    const [event] = await eventsOf(acme, 'session.created');
    expect(event).toMatchObject({ outcome: 'success', changes: { method: 'passkey', user: person.id } });
  });

  it.each([
    ['another origin', { origin: 'https://waxell.example' }, 'WEBAUTHN_ORIGIN'],
    ['another site', { rpId: 'waxell.example' }, 'WEBAUTHN_RP'],
    ['another challenge', { challenge: 'AAAA' }, 'WEBAUTHN_CHALLENGE'],
    ['a key that has not looked at who holds it', { userVerified: false }, 'WEBAUTHN_UNVERIFIED_USER'],
    ['a key that says it is somebody else’s', { userHandle: 'AAAA' }, 'WEBAUTHN_USER_HANDLE'],
    ['a counter that goes back', { counter: 1 }, 'WEBAUTHN_COUNTER'],
  ])('is refused for %s', async (_what, wrong, reason) => {
    const { key } = await withKey(app, acme, await developer());
    expect((await withPasskey(app, acme, key)).status).toBe(200);
    expect(await refusal(withPasskey(app, acme, key, wrong))).toEqual(NO_PASSKEY);
    expect(await lastReason(acme)).toBe(reason);
  });

  it('is good for its own organisation alone, with a challenge of its own, once, from where it began', async () => {
    const { key } = await withKey(app, acme, await developer());
    expect(await refusal(withPasskey(app, other, key, {}))).toEqual(NO_PASSKEY);
    const INVALID = { status: 401, code: 'CHALLENGE_INVALID' };
    const foreign = await passkeyOptions(app, other.slug);
    const own = `wxm_${acme.id.slice(2)}_${foreign.challenge.slice(21)}`;
    expect(await refusal(showPasskey(app, own, key.get(foreign.webauthn)))).toEqual(INVALID);
    const { challenge, webauthn } = await passkeyOptions(app, acme.slug);
    const shown = key.get(webauthn);
    expect(await refusal(showPasskey(app, challenge, shown, { 'user-agent': 'Other/1.0' }))).toEqual(INVALID);
    const answers = await Promise.all([1, 2].map(() => showPasskey(app, challenge, shown)));
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 401]);
  });

  it('is not taken of somebody who was disabled', async () => {
    const { person, key } = await withKey(app, acme, await developer());
    await must(acme.api.patch(`/v1/users/${person.id}`, { status: 'disabled' }), 200);
    expect(await refusal(withPasskey(app, acme, key))).toEqual(NO_PASSKEY);
    await must(acme.api.patch(`/v1/users/${person.id}`, { status: 'active' }), 200);
    expect((await withPasskey(app, acme, key)).status).toBe(200);
  });

  it('tells nobody which organisations there are', async () => {
    const [first, again, real] = [
      await passkeyOptions(app, 'no-such-organisation'),
      await passkeyOptions(app, 'no-such-organisation'),
      await passkeyOptions(app, acme.slug),
    ];
    const organisation = ({ challenge }: PasskeyOptionsDto) => challenge.slice(0, 21);
    expect(organisation(first)).toMatch(/^wxm_[0-9a-f]{16}_$/);
    expect(organisation(first)).toBe(organisation(again));
    expect(organisation(await passkeyOptions(app, 'another'))).not.toBe(organisation(first));
    expect(Object.keys(first.webauthn)).toEqual(Object.keys(real.webauthn));
    const { key } = await withKey(app, acme, await developer());
    const answer = showPasskey(app, first.challenge, key.get(first.webauthn));
    expect(await refusal(answer)).toEqual({ status: 401, code: 'CHALLENGE_INVALID' });
  });
});

describe('proving oneself again with a security key', () => {
  it('takes what it has signed for this very session, once', async () => {
    const known = await withKey(app, acme, await developer());
    const signedIn = async (): Promise<Client> =>
      client(app.baseUrl, (await must(withPasskey(app, acme, known.key), 200)).accessToken, BROWSER);
    const [session, elsewhere] = [await signedIn(), await signedIn()];
    const { methods, challenge, webauthn } = await must(
      session.post<StepUpOptionsDto>('/v1/auth/step-up/options'),
      200,
    );
    expect(methods).toEqual(['webauthn', 'recovery_code']);
    const body = { challenge, webauthn: known.key.get(webauthn as RequestOptions) };
    const INVALID = { status: 401, code: 'CHALLENGE_INVALID' };
    expect(await refusal(elsewhere.post('/v1/auth/step-up', body))).toEqual(INVALID);
    const { challenge: _, ...without } = body;
    expect(await refusal(session.post('/v1/auth/step-up', without))).toEqual(INVALID);
    expect((await session.post('/v1/me/recovery-codes')).status).toBe(403);
    expect((await session.post('/v1/auth/step-up', body)).status).toBe(200);
    expect((await session.post('/v1/me/recovery-codes')).status).toBe(201);
    expect(await refusal(session.post('/v1/auth/step-up', body))).toEqual(INVALID);
    expect((await elsewhere.post('/v1/me/recovery-codes')).status).toBe(403);
  });
});
