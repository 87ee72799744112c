import { beforeAll, describe, expect, it } from 'vitest';
import type { TokensDto } from '../../src/auth/auth.dto.js';
import type {
  BegunWebauthnDto,
  EnrolledDto,
  PasskeyOptionsDto,
  StepUpOptionsDto,
} from '../../src/mfa/mfa.dto.js';
import { AttestationMaker } from '../support/attestation-maker.js';
import {
  Authenticator,
  type CreationOptions,
  type Made,
  type RequestOptions,
  type Wrong,
} from '../support/authenticator.js';
import { client, must, refusal, type Answer, type Client } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { eventually } from '../support/eventually.js';
import {
  BROWSER,
  challenged,
  daysPassed,
  login,
  proveFactor,
  setSecondFactor,
} from '../support/second-factors.js';
import { sharedApplication } from '../support/shared-application.js';
import { steppedUp } from '../support/single-sign-on.js';
import { createPerson, createTenant, signIn, type Person, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const MODEL = 'ee882879-721c-4913-9775-3dfcce97072a';
const FAILED = { status: 401, code: 'SECOND_FACTOR_FAILED' };
const NO_PASSKEY = { status: 401, code: 'PASSKEY_FAILED' };

interface Logged {
  readonly outcome: string;
  readonly reason?: string;
  readonly changes?: Record<string, unknown>;
}

interface WithKey {
  readonly person: Person;
  readonly key: Authenticator;
  readonly session: Client;
  readonly factor: EnrolledDto;
}

let acme: TestTenant;
let other: TestTenant;

beforeAll(async () => {
  [acme, other] = await Promise.all([createTenant(app), createTenant(app)]);
});

const developer = (tenant = acme): Promise<Person> => createPerson(tenant.api, 'Developer');
/** Pages are of the public base URL, which names no address. */
const ORIGIN = app.baseUrl.replace('127.0.0.1', 'localhost');
const newKey = (made?: Made): Authenticator => new Authenticator(ORIGIN, made);

async function begin(session: Client): Promise<BegunWebauthnDto & { options: CreationOptions }> {
  const begun = await must(session.post<BegunWebauthnDto>('/v1/me/second-factors/webauthn/options'), 200);
  return begun as BegunWebauthnDto & { options: CreationOptions };
}

async function enrol(
  session: Client,
  key: Authenticator,
  wrong: Wrong = {},
  name?: string,
): Promise<Answer<EnrolledDto>> {
  const { challenge, options } = await begin(session);
  const credential = await key.create(options, wrong);
  return session.post<EnrolledDto>('/v1/me/second-factors/webauthn', {
    challenge,
    credential,
    ...(name && { name }),
  });
}

async function withKey(
  person: Person,
  { tenant = acme, made }: { tenant?: TestTenant; made?: Made } = {},
): Promise<WithKey> {
  const session = await steppedUp(app, tenant, person);
  const key = newKey(made);
  return { person, key, session, factor: await must(enrol(session, key), 201) };
}

/** Signs in by password and key. */
async function withPassword({ person, key }: WithKey, wrong: Wrong = {}): Promise<Answer<TokensDto>> {
  const { challenge, webauthn } = await challenged(app, acme, person);
  return proveFactor(app, challenge, { webauthn: key.get(webauthn as RequestOptions, wrong) });
}

async function passkeyOptions(
  slug: string,
  headers: Record<string, string> = BROWSER,
): Promise<PasskeyOptionsDto & { webauthn: RequestOptions }> {
  const anyone = client(app.baseUrl, undefined, { 'x-tenant-slug': slug, ...headers });
  const options = await must(anyone.post<PasskeyOptionsDto>('/v1/auth/passkey/options'), 200);
  return options as PasskeyOptionsDto & { webauthn: RequestOptions };
}

function showPasskey(
  challenge: string,
  webauthn: object,
  headers: Record<string, string> = BROWSER,
): Promise<Answer<TokensDto>> {
  return client(app.baseUrl, undefined, headers).post<TokensDto>('/v1/auth/passkey', { challenge, webauthn });
}

async function withPasskey(
  key: Authenticator,
  wrong: Wrong = {},
  slug = acme.slug,
): Promise<Answer<TokensDto>> {
  const { challenge, webauthn } = await passkeyOptions(slug);
  return showPasskey(challenge, key.get(webauthn, wrong));
}

/** Why the last sign-in was refused. */
async function lastReason(action = 'session.created'): Promise<string | undefined> {
  const [event] = await acme.api.all<Logged>(`/v1/audit/events?action=${action}`);
  return event?.outcome === 'denied' || event?.outcome === 'failure' ? event.reason : undefined;
}

describe('a security key', () => {
  it.each([
    { algorithm: 'ES256' },
    { algorithm: 'EdDSA', counts: false },
    { algorithm: 'RS256', verifiesUser: false },
    { algorithm: 'ES256', attestation: 'self' },
  ] as const)('of %j is set up, and proves a second factor again and again', async (made) => {
    const known = await withKey(await developer(), { made });
    expect(known.factor).toMatchObject({ type: 'webauthn', name: 'Security key', backedUp: false });
    expect(known.factor.recoveryCodes).toHaveLength(10);
    const due = await challenged(app, acme, known.person);
    expect(due.methods).toEqual(['webauthn', 'recovery_code']);
    for (let times = 0; times < 2; times += 1) expect((await withPassword(known)).status).toBe(200);
    const [event] = await acme.api.all<Logged>('/v1/audit/events?action=second_factor.verified');
    expect(event?.changes).toMatchObject({ method: 'webauthn', userVerified: !('verifiesUser' in made) });
  });

  it('is one of several, each with a name, and cannot be set up twice', async () => {
    const { session, key, person } = await withKey(await developer());
    await expect(enrol(session, key)).rejects.toThrow('InvalidStateError');
    const second = newKey();
    await must(enrol(session, second, {}, 'In the safe'), 201);
    const { items } = await must(session.get<{ items: { name: string }[] }>('/v1/me/second-factors'), 200);
    expect(items.map(({ name }) => name)).toEqual(['Security key', 'In the safe']);
    expect((await withPassword({ person, key: second } as WithKey)).status).toBe(200);
    // The very credential, by somebody else.
    const { challenge, options } = await begin(session);
    const credential = await newKey().create(options);
    const path = '/v1/me/second-factors/webauthn';
    expect((await session.post(path, { challenge, credential })).status).toBe(201);
    expect((await session.post(path, { challenge, credential })).status).toBe(401);
  });

  it.each([
    ['another origin', { origin: 'https://waxell.example' }, 'WEBAUTHN_ORIGIN'],
    ['another site', { rpId: 'waxell.example' }, 'WEBAUTHN_RP'],
    ['another challenge', { challenge: 'AAAA' }, 'WEBAUTHN_CHALLENGE'],
    ['an authentication', { type: 'webauthn.get' }, 'WEBAUTHN_TYPE'],
    ['a frame of another site', { crossOrigin: true }, 'WEBAUTHN_CROSS_ORIGIN'],
    ['nobody who is there', { userPresent: false }, 'WEBAUTHN_INVALID'],
  ])('that was made for %s is not set up', async (_what, wrong, reason) => {
    const session = await steppedUp(app, acme, await developer());
    expect(await refusal(enrol(session, newKey(), wrong))).toEqual({ status: 422, code: 'ENROLMENT_FAILED' });
    expect(await lastReason('second_factor.enrolled')).toBe(reason);
  });

  it('whose attestation somebody else has signed is not set up', async () => {
    const session = await steppedUp(app, acme, await developer());
    const key = newKey({ attestation: 'self' });
    expect((await enrol(session, key, { signature: Buffer.alloc(70, 1) })).status).toBe(422);
  });

  it('is set up with a challenge of one’s own session, once', async () => {
    const person = await developer();
    const [one, two] = [await steppedUp(app, acme, person), await steppedUp(app, acme, person)];
    const stranger = await steppedUp(app, other);
    const { challenge, options } = await begin(one);
    const credential = await newKey().create(options);
    const finish = (session: Client) =>
      refusal(session.post('/v1/me/second-factors/webauthn', { challenge, credential }));
    const INVALID = { status: 401, code: 'CHALLENGE_INVALID' };
    expect(await finish(two)).toEqual(INVALID);
    expect(await finish(stranger)).toEqual(INVALID);
    expect((await finish(one)).status).toBe(201);
    expect(await finish(one)).toEqual(INVALID);
  });

  it('is set up by whoever can do nothing else, after the days of grace', async () => {
    const tenant = await createTenant(app);
    await daysPassed(app, tenant, 14);
    const session = client(app.baseUrl, (await signIn(app, tenant.slug, tenant.owner)).accessToken);
    expect((await session.get('/v1/users')).status).toBe(403);
    await must(enrol(session, newKey()), 201);
    await eventually(async () => expect((await session.get('/v1/users')).status).toBe(200), 1_000);
  });

  it.each([
    {},
    { id: 'x' },
    { id: '!', type: 'public-key', response: {} },
    { id: 'AAAA', type: 'public-key', response: null },
    { id: 'AAAA', type: 'public-key', response: { clientDataJSON: 'e30', attestationObject: 'oA' } },
    { id: 'AAAA', type: 'public-key', response: { clientDataJSON: 'bnVsbA', attestationObject: '_w' } },
  ])('that says %j is refused, and nothing breaks', async (credential) => {
    const session = await steppedUp(app, acme, await developer());
    const { challenge } = await begin(session);
    const answer = session.post('/v1/me/second-factors/webauthn', { challenge, credential });
    expect(await refusal(answer)).toEqual({ status: 422, code: 'ENROLMENT_FAILED' });
  });
});

describe('a sign-in with a security key', () => {
  it.each([
    ['another origin', { origin: 'https://waxell.example' }, 'WEBAUTHN_ORIGIN'],
    ['another site', { rpId: 'waxell.example' }, 'WEBAUTHN_RP'],
    ['another challenge', { challenge: 'AAAA' }, 'WEBAUTHN_CHALLENGE'],
    ['a registration', { type: 'webauthn.create' }, 'WEBAUTHN_TYPE'],
    ['a frame of another site', { crossOrigin: true }, 'WEBAUTHN_CROSS_ORIGIN'],
    ['nobody who is there', { userPresent: false }, 'WEBAUTHN_INVALID'],
    ['a signature of somebody else', { signature: Buffer.from('300602010102010130', 'hex') }, /^WEBAUTHN_/],
  ])('is refused for %s', async (_what, wrong, reason) => {
    const known = await withKey(await developer());
    expect(await refusal(withPassword(known, wrong))).toEqual(FAILED);
    expect(await lastReason()).toMatch(reason);
    expect((await withPassword(known)).status).toBe(200);
  });

  it('is refused for a counter that does not rise, which tells of a copy', async () => {
    const known = await withKey(await developer());
    expect((await withPassword(known, { counter: 10 })).status).toBe(200);
    for (const counter of [10, 9, 0]) {
      expect(await refusal(withPassword(known, { counter }))).toEqual(FAILED);
      expect(await lastReason()).toBe('WEBAUTHN_COUNTER');
    }
    expect((await withPassword(known, { counter: 11 })).status).toBe(200);
  });

  it('takes one answer once, also from requests at the same moment', async () => {
    const { person, key } = await withKey(await developer());
    const { challenge, webauthn } = await challenged(app, acme, person);
    const shown = key.get(webauthn as RequestOptions);
    const answers = await Promise.all([1, 2, 3].map(() => proveFactor(app, challenge, { webauthn: shown })));
    const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b);
    expect(statuses).toEqual([200, 401, 401]);
    const anew = await challenged(app, acme, person);
    expect(await refusal(proveFactor(app, anew.challenge, { webauthn: shown }))).toEqual(FAILED);
    expect(await lastReason()).toBe('WEBAUTHN_CHALLENGE');
  });

  it('takes no key of somebody else', async () => {
    const [one, two] = [await withKey(await developer()), await withKey(await developer())];
    const { challenge, webauthn } = await challenged(app, acme, one.person);
    const { allowCredentials: _, ...any } = webauthn as RequestOptions;
    expect(await refusal(proveFactor(app, challenge, { webauthn: two.key.get(any) }))).toEqual(FAILED);
    expect(await lastReason()).toBe('WEBAUTHN_UNKNOWN_CREDENTIAL');
  });

  it('keeps ids and public keys of keys encrypted', async () => {
    const { person, key } = await withKey(await developer());
    const { webauthn } = await challenged(app, acme, person);
    const [{ id } = { id: '' }] = (webauthn as RequestOptions).allowCredentials ?? [];
    expect(key.get(webauthn as RequestOptions)).toMatchObject({ id });
    const { rows } = await asSuperuser(app.home, 'us-east-1', (database) =>
      database.query(
        `SELECT f::text AS text FROM "${acme.id}".second_factors f WHERE user_id = '${person.id}'`,
      ),
    );
    const stored = JSON.stringify(rows);
    expect(stored.length).toBeGreaterThan(200);
    expect(stored).not.toContain(Buffer.from(id, 'base64url').toString('hex'));
    expect(stored).not.toContain(Buffer.from(id).toString('hex'));
  });
});

describe('a passkey', () => {
  it('signs in alone, and says so of the session and in the log', async () => {
    const { person, key } = await withKey(await developer());
    const answer = await withPasskey(key);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('set-cookie')).toContain('__Host-waxell_session=');
    const session = client(app.baseUrl, answer.body.accessToken, BROWSER);
    const me = await must(session.get<{ user: { id: string } }>('/v1/me'), 200);
    expect(me.user.id).toBe(person.id);
    const { items } = await must(session.get<{ items: { method: string }[] }>('/v1/auth/sessions'), 200);
    expect(items[0]?.method).toBe('passkey');
    const [event] = await acme.api.all<Logged>('/v1/audit/events?action=session.created');
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
    const { key } = await withKey(await developer());
    expect((await withPasskey(key)).status).toBe(200);
    expect(await refusal(withPasskey(key, wrong))).toEqual(NO_PASSKEY);
    expect(await lastReason()).toBe(reason);
  });

  it('is good for its own organisation alone, with a challenge of its own, once, from where it began', async () => {
    const { key } = await withKey(await developer());
    expect(await refusal(withPasskey(key, {}, other.slug))).toEqual(NO_PASSKEY);
    const INVALID = { status: 401, code: 'CHALLENGE_INVALID' };
    const foreign = await passkeyOptions(other.slug);
    const own = `wxm_${acme.id.slice(2)}_${foreign.challenge.slice(21)}`;
    expect(await refusal(showPasskey(own, key.get(foreign.webauthn)))).toEqual(INVALID);
    const { challenge, webauthn } = await passkeyOptions(acme.slug);
    const shown = key.get(webauthn);
    expect(await refusal(showPasskey(challenge, shown, { 'user-agent': 'Other/1.0' }))).toEqual(INVALID);
    const answers = await Promise.all([1, 2].map(() => showPasskey(challenge, shown)));
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 401]);
  });

  it('is not taken of somebody who was disabled', async () => {
    const { person, key } = await withKey(await developer());
    await must(acme.api.patch(`/v1/users/${person.id}`, { status: 'disabled' }), 200);
    expect(await refusal(withPasskey(key))).toEqual(NO_PASSKEY);
    await must(acme.api.patch(`/v1/users/${person.id}`, { status: 'active' }), 200);
    expect((await withPasskey(key)).status).toBe(200);
  });

  it('tells nobody which organisations there are', async () => {
    const [first, again, real] = [
      await passkeyOptions('no-such-organisation'),
      await passkeyOptions('no-such-organisation'),
      await passkeyOptions(acme.slug),
    ];
    const organisation = ({ challenge }: PasskeyOptionsDto) => challenge.slice(0, 21);
    expect(organisation(first)).toMatch(/^wxm_[0-9a-f]{16}_$/);
    expect(organisation(first)).toBe(organisation(again));
    expect(organisation(await passkeyOptions('another'))).not.toBe(organisation(first));
    expect(Object.keys(first.webauthn)).toEqual(Object.keys(real.webauthn));
    const { key } = await withKey(await developer());
    const answer = showPasskey(first.challenge, key.get(first.webauthn));
    expect(await refusal(answer)).toEqual({ status: 401, code: 'CHALLENGE_INVALID' });
  });
});

describe('proving oneself again with a security key', () => {
  it('takes what it has signed for this very session, once', async () => {
    const known = await withKey(await developer());
    const signedIn = async (): Promise<Client> =>
      client(app.baseUrl, (await must(withPasskey(known.key), 200)).accessToken, BROWSER);
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

describe('an organisation that asks what security keys are', () => {
  it('takes the models of the makers that it names, each refused for its own reason', async () => {
    const tenant = await createTenant(app);
    const [maker, stranger, expired] = await Promise.all([
      AttestationMaker.create(),
      AttestationMaker.create(),
      AttestationMaker.create('Former', { until: new Date(Date.now() - 86_400_000) }),
    ]);
    await setSecondFactor(await steppedUp(app, tenant), {
      attestation: 'direct',
      attestationRoots: [maker.root, expired.root],
      allowedAaguids: [MODEL],
    });
    const session = await steppedUp(app, tenant, await createPerson(tenant.api, 'Developer'));
    const reasonOf = async (made: Made): Promise<string | undefined> => {
      const answer = await enrol(session, newKey(made));
      if (answer.status === 201) return undefined;
      expect(answer.status).toBe(422);
      const [event] = await tenant.api.all<Logged>('/v1/audit/events?action=second_factor.enrolled');
      return event?.reason;
    };
    expect(await reasonOf({ aaguid: MODEL })).toBe('WEBAUTHN_UNATTESTED');
    expect(await reasonOf({ aaguid: MODEL, attestation: 'self' })).toBe('WEBAUTHN_UNATTESTED');
    expect(await reasonOf({ aaguid: MODEL, attestation: stranger })).toBe('WEBAUTHN_UNTRUSTED_MAKER');
    expect(await reasonOf({ aaguid: MODEL, attestation: expired })).toBe('WEBAUTHN_UNTRUSTED_MAKER');
    const otherModel = MODEL.replace('ee', 'ff');
    expect(await reasonOf({ aaguid: otherModel, attestation: maker })).toBe('WEBAUTHN_MODEL');
    expect(await reasonOf({ aaguid: MODEL, attestation: maker })).toBeUndefined();
    // A certificate of one model does not sign for another.
    const lying = { root: maker.root, issue: () => maker.issue(otherModel) } as unknown as AttestationMaker;
    expect(await reasonOf({ aaguid: MODEL, attestation: lying })).toBe('WEBAUTHN_INVALID');
    // Others ask for nothing.
    await must(enrol(await steppedUp(app, acme, await developer()), newKey({ aaguid: MODEL })), 201);
    expect((await login(app, tenant, tenant.owner)).status).toBe(200);
  });
});
