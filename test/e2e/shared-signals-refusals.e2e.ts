import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CAEP, newSigningKey, push } from '../fakes/ssf-transmitter.js';
import { client, must } from '../support/client.js';
import { unsigned, withClaims, withHeader } from '../support/forged-jwts.js';
import { sharedSite } from '../support/shared-application.js';
import { Signals, statusOf, TAKEN, TRANSMITTERS } from '../support/signals.js';
import { lastEvent } from '../support/single-sign-on.js';
import { createTenant, type TestTenant } from '../support/tenants.js';

const app = sharedSite();
let signals: Signals;
let globex: TestTenant;
beforeAll(async () => {
  signals = await Signals.begin();
  globex = await createTenant(app);
});
afterAll(() => signals.end());

describe('what is not taken', () => {
  let about: ReturnType<typeof signals.subject>;
  beforeAll(() => {
    about = signals.subject('ivy');
  });
  const revoked = `${CAEP}session-revoked`;
  const seconds = (): number => Math.floor(Date.now() / 1_000);

  it.each<[string, string, () => Promise<string>]>([
    [
      'an unsigned token',
      'invalid_key',
      async () => unsigned(await signals.transmitter.set(revoked, about), { typ: 'secevent+jwt', kid: 'k' }),
    ],
    [
      'one signed by a key that it does not publish, under the name of one that it does',
      'invalid_key',
      async () => {
        const { kid } = signals.transmitter.keys[0] ?? { kid: '' };
        return signals.transmitter.set(revoked, about, { key: { ...(await newSigningKey()), kid } });
      },
    ],
    [
      'a key that nobody knows',
      'invalid_key',
      async () => signals.transmitter.set(revoked, about, { key: await newSigningKey() }),
    ],
    [
      'no name of a key',
      'invalid_key',
      () => signals.transmitter.set(revoked, about, { header: { kid: undefined } }),
    ],
    [
      'a secret as key',
      'invalid_key',
      async () =>
        withHeader(
          { alg: 'HS256', typ: 'secevent+jwt', kid: 'k' },
          await signals.transmitter.set(revoked, about),
        ),
    ],
    [
      'a body that was changed',
      'invalid_key',
      async () =>
        withClaims({ sub_id: about }, await signals.transmitter.set(revoked, signals.subject('nobody'))),
    ],
    [
      'another issuer',
      'invalid_issuer',
      () => signals.transmitter.set(revoked, about, { claims: { iss: 'https://a.example' } }),
    ],
    [
      'another audience',
      'invalid_audience',
      () => signals.transmitter.set(revoked, about, { claims: { aud: ['https://b'] } }),
    ],
    [
      'no audience',
      'invalid_audience',
      () => signals.transmitter.set(revoked, about, { claims: { aud: undefined } }),
    ],
    [
      'one of eight days ago',
      'invalid_request',
      () => signals.transmitter.set(revoked, about, { claims: { iat: seconds() - 8 * 86_400 } }),
    ],
    [
      'one of tomorrow',
      'invalid_request',
      () => signals.transmitter.set(revoked, about, { claims: { iat: seconds() + 86_400 } }),
    ],
    [
      'an expired one',
      'invalid_request',
      () => signals.transmitter.set(revoked, about, { claims: { exp: seconds() - 600 } }),
    ],
    [
      'no jti',
      'invalid_request',
      () => signals.transmitter.set(revoked, about, { claims: { jti: undefined } }),
    ],
    [
      'no iat',
      'invalid_request',
      () => signals.transmitter.set(revoked, about, { claims: { iat: undefined } }),
    ],
    [
      'an ID token',
      'invalid_request',
      () => signals.transmitter.set(revoked, about, { header: { typ: 'JWT' } }),
    ],
    [
      'no events',
      'invalid_request',
      () => signals.transmitter.set(revoked, about, { claims: { events: {} } }),
    ],
    [
      'an event that is no object',
      'invalid_request',
      () => signals.transmitter.set(revoked, about, { claims: { events: { [revoked]: 1 } } }),
    ],
    ['no subject', 'invalid_request', () => signals.transmitter.set(revoked, undefined)],
    [
      'a subject without its members',
      'invalid_request',
      () => signals.transmitter.set(revoked, { format: 'iss_sub' }),
    ],
    ['no token at all', 'invalid_request', () => Promise.resolve('nonsense')],
    ['an empty body', 'invalid_request', () => Promise.resolve('')],
  ])('%s', async (_what, err, make) => {
    const { api } = await signals.signedIn('ivy');
    const { status: answered, type, text } = await signals.send(await make());
    expect([answered, type]).toEqual([400, 'application/json; charset=utf-8']);
    const said = JSON.parse(text) as { err: string; description: string };
    expect(said.err).toBe(err);
    expect(said.description.length).toBeGreaterThan(10);
    expect(await statusOf(api)).toBe(200);
    expect(await lastEvent(signals.tenant, 'signal.received')).toMatchObject({
      outcome: err === 'invalid_request' ? 'failure' : 'denied',
      reason: `SET_${err.toUpperCase()}`,
    });
  });

  it('anything under a token that is wrong, of another organisation, or missing', async () => {
    const { api } = await signals.signedIn('ivy');
    const set = await signals.transmitter.set(revoked, about);
    const theirs = await signals.registerOf(globex, { emailSubjects: true });
    for (const token of ['', `${signals.stream.token.slice(0, -1)}x`]) {
      const { status: answered, text } = await push(app.baseUrl, token === '' ? undefined : token, set);
      expect([answered, (JSON.parse(text) as { err: string }).err]).toEqual([401, 'authentication_failed']);
    }
    // Genuine there, and there it names nobody: who is who at a provider is each organisation's own.
    expect(await signals.send(set, theirs.token)).toEqual(TAKEN);
    expect((await lastEvent(globex, 'signal.received'))?.changes).toMatchObject({ subject: 'unknown' });
    expect(await statusOf(api)).toBe(200);
  });

  it('anything of somebody who is no transmitter, whatever they may do', async () => {
    const set = await signals.transmitter.set(revoked, about);
    const { status: answered, text } = await push(app.baseUrl, signals.tenant.apiKey, set);
    expect(answered).toBe(403);
    expect(JSON.parse(text)).toMatchObject({ err: 'access_denied', code: 'PERMISSION_DENIED' });
    // And a transmitter does nothing else.
    const other = client(app.baseUrl, signals.stream.token);
    for (const path of ['/v1/me', '/v1/users', TRANSMITTERS])
      expect((await other.get(path)).status).toBe(403);
  });

  it('a body of another kind, or one that is too large', async () => {
    const set = await signals.transmitter.set(revoked, about);
    expect(
      (await push(app.baseUrl, signals.stream.token, JSON.stringify({ set }), 'application/json')).status,
    ).toBe(400);
    expect((await signals.send('x'.repeat(100_000))).status).toBe(413);
  });

  it('again what was taken: it is answered as before, and does nothing', async () => {
    await signals.signedIn('jon');
    const set = await signals.transmitter.set(revoked, signals.subject('jon'));
    expect(await signals.send(set)).toEqual(TAKEN);
    const { api } = await signals.signedIn('jon');
    expect(await signals.send(set)).toEqual(TAKEN);
    expect((await lastEvent(signals.tenant, 'signal.received'))?.changes).toMatchObject({ repeated: true });
    expect(await statusOf(api)).toBe(200);
    // Many at once count once too.
    const another = await signals.transmitter.set(revoked, signals.subject('jon'));
    const answers = await Promise.all(Array.from({ length: 8 }, () => signals.send(another)));
    expect(answers).toEqual(answers.map(() => TAKEN));
    const { items } = await must(
      signals.tenant.api.get<{ items: { resource?: { id: string } }[] }>(
        '/v1/audit/events?limit=50&action=signal.sessions_ended',
      ),
      200,
    );
    const { user } = await must(
      (await signals.signedIn('jon')).api.get<{ user: { id: string } }>('/v1/me'),
      200,
    );
    expect(items.filter(({ resource }) => resource?.id === user.id)).toHaveLength(2);
  });
});
