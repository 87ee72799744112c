import { beforeAll, describe, expect, it } from 'vitest';
import { AttestationMaker } from '../support/attestation-maker.js';
import type { Made, RequestOptions } from '../support/authenticator.js';
import { client, must, refusal, type Client } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { eventually } from '../support/eventually.js';
import {
  challenged,
  daysPassed,
  eventsOf,
  login,
  proveFactor,
  setSecondFactor,
} from '../support/second-factors.js';
import { beginKey, enrolKey, lastReason, newKey, withKey, withPassword } from '../support/security-keys.js';
import { sharedApplication } from '../support/shared-application.js';
import { steppedUp } from '../support/single-sign-on.js';
import { createPerson, createTenant, signIn, type Person, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const FAILED = { status: 401, code: 'SECOND_FACTOR_FAILED' };
const MODEL = 'ee882879-721c-4913-9775-3dfcce97072a';
let acme: TestTenant;
let other: TestTenant;

beforeAll(async () => {
  [acme, other] = await Promise.all([createTenant(app), createTenant(app)]);
});

const developer = (): Promise<Person> => createPerson(acme.api, 'Developer');

describe('a security key', () => {
  it.each([
    { algorithm: 'ES256' },
    { algorithm: 'EdDSA', counts: false },
    { algorithm: 'RS256', verifiesUser: false },
    { algorithm: 'ES256', attestation: 'self' },
  ] as const)('of %j is set up, and proves a second factor again and again', async (made) => {
    const known = await withKey(app, acme, await developer(), made);
    expect(known.factor).toMatchObject({ type: 'webauthn', name: 'Security key', backedUp: false });
    expect(known.factor.recoveryCodes).toHaveLength(10);
    const due = await challenged(app, acme, known.person);
    expect(due.methods).toEqual(['webauthn', 'recovery_code']);
    for (let times = 0; times < 2; times += 1)
      expect((await withPassword(app, acme, known)).status).toBe(200);
    const [event] = await eventsOf(acme, 'second_factor.verified');
    expect(event?.changes).toMatchObject({ method: 'webauthn', userVerified: !('verifiesUser' in made) });
  });

  it('is one of several, each with a name, and cannot be set up twice', async () => {
    const { session, key, person } = await withKey(app, acme, await developer());
    await expect(enrolKey(session, key)).rejects.toThrow('InvalidStateError');
    const second = newKey(app);
    await must(enrolKey(session, second, {}, 'In the safe'), 201);
    const { items } = await must(session.get<{ items: { name: string }[] }>('/v1/me/second-factors'), 200);
    expect(items.map(({ name }) => name)).toEqual(['Security key', 'In the safe']);
    expect((await withPassword(app, acme, { person, key: second })).status).toBe(200);
    // The very credential, by somebody else.
    const { challenge, options } = await beginKey(session);
    const credential = await newKey(app).create(options);
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
    expect(await refusal(enrolKey(session, newKey(app), wrong))).toEqual({
      status: 422,
      code: 'ENROLMENT_FAILED',
    });
    expect(await lastReason(acme, 'second_factor.enrolled')).toBe(reason);
  });

  it('whose attestation somebody else has signed is not set up', async () => {
    const session = await steppedUp(app, acme, await developer());
    const key = newKey(app, { attestation: 'self' });
    expect((await enrolKey(session, key, { signature: Buffer.alloc(70, 1) })).status).toBe(422);
  });

  it('is set up with a challenge of one’s own session, once', async () => {
    const person = await developer();
    const [one, two] = [await steppedUp(app, acme, person), await steppedUp(app, acme, person)];
    const stranger = await steppedUp(app, other);
    const { challenge, options } = await beginKey(one);
    const credential = await newKey(app).create(options);
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
    await must(enrolKey(session, newKey(app)), 201);
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
    const { challenge } = await beginKey(session);
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
    const known = await withKey(app, acme, await developer());
    expect(await refusal(withPassword(app, acme, known, wrong))).toEqual(FAILED);
    expect(await lastReason(acme)).toMatch(reason);
    expect((await withPassword(app, acme, known)).status).toBe(200);
  });

  it('is refused for a counter that does not rise, which tells of a copy', async () => {
    const known = await withKey(app, acme, await developer());
    expect((await withPassword(app, acme, known, { counter: 10 })).status).toBe(200);
    for (const counter of [10, 9, 0]) {
      expect(await refusal(withPassword(app, acme, known, { counter }))).toEqual(FAILED);
      expect(await lastReason(acme)).toBe('WEBAUTHN_COUNTER');
    }
    expect((await withPassword(app, acme, known, { counter: 11 })).status).toBe(200);
  });

  it('takes one answer once, also from requests at the same moment', async () => {
    const { person, key } = await withKey(app, acme, await developer());
    const { challenge, webauthn } = await challenged(app, acme, person);
    const shown = key.get(webauthn as RequestOptions);
    const answers = await Promise.all([1, 2, 3].map(() => proveFactor(app, challenge, { webauthn: shown })));
    const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b);
    expect(statuses).toEqual([200, 401, 401]);
    const anew = await challenged(app, acme, person);
    expect(await refusal(proveFactor(app, anew.challenge, { webauthn: shown }))).toEqual(FAILED);
    expect(await lastReason(acme)).toBe('WEBAUTHN_CHALLENGE');
  });

  it('takes no key of somebody else', async () => {
    const [one, two] = [
      await withKey(app, acme, await developer()),
      await withKey(app, acme, await developer()),
    ];
    const { challenge, webauthn } = await challenged(app, acme, one.person);
    const { allowCredentials: _, ...any } = webauthn as RequestOptions;
    expect(await refusal(proveFactor(app, challenge, { webauthn: two.key.get(any) }))).toEqual(FAILED);
    expect(await lastReason(acme)).toBe('WEBAUTHN_UNKNOWN_CREDENTIAL');
  });

  it('keeps ids and public keys of keys encrypted', async () => {
    const { person, key } = await withKey(app, acme, await developer());
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
      const answer = await enrolKey(session, newKey(app, made));
      if (answer.status === 201) return undefined;
      expect(answer.status).toBe(422);
      const [event] = await eventsOf(tenant, 'second_factor.enrolled');
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
    await must(enrolKey(await steppedUp(app, acme, await developer()), newKey(app, { aaguid: MODEL })), 201);
    expect((await login(app, tenant, tenant.owner)).status).toBe(200);
  });
});
