import { randomUUID } from 'node:crypto';
import type { JWTPayload } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TokensDto } from '../../src/auth/auth.dto.js';
import type { ConnectionDto } from '../../src/federation/connections.dto.js';
import type { TokenOfTransmitterDto, TransmitterDto } from '../../src/shared-signals/transmitters.dto.js';
import { startFakeNameServer, type OwnNameServer } from '../fakes/name-server.js';
import { CLIENT, OidcIssuer } from '../fakes/oidc-issuer.js';
import {
  AUDIENCE,
  CAEP,
  newSigningKey,
  push,
  RISC,
  SSF,
  SsfTransmitter,
  type Delivered,
  type SigningKey,
} from '../fakes/ssf-transmitter.js';
import { publishedAgent, runIn, startRun } from '../support/agents.js';
import { grant, makeRole } from '../support/access.js';
import { startApplication, type Application } from '../support/application.js';
import { Browser } from '../support/browser.js';
import { client, must, refusal, type Client } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { eventually } from '../support/eventually.js';
import { activeConnection, lastEvent, ssoUrl, steppedUp, verifiedDomain } from '../support/single-sign-on.js';
import {
  createApiKey,
  createPerson,
  createTenant,
  signIn,
  uniqueName,
  type TestTenant,
} from '../support/tenants.js';

const SECOND = 1_000;
const PATH = '/v1/shared-signals/transmitters';
const TAKEN = { status: 202, type: null, text: '' };
let app: Application;
let names: OwnNameServer;
let issuer: OidcIssuer;
let transmitter: SsfTransmitter;
let acme: TestTenant;
let globex: TestTenant;
let owner: Client;
let domain: string;
let connection: ConnectionDto;
let stream: TokenOfTransmitterDto;

beforeAll(async () => {
  names = await startFakeNameServer();
  [issuer, transmitter] = [await OidcIssuer.start(), await SsfTransmitter.start()];
  app = await startApplication({
    env: { IDENTITY_PROVIDERS_ALLOW: '127.0.0.0/8', DNS_SERVERS: names.server },
  });
  Object.assign(app, { baseUrl: app.baseUrl.replace('127.0.0.1', 'localhost') });
  [acme, globex] = [await createTenant(app), await createTenant(app)];
  owner = await steppedUp(app, acme);
  ({ name: domain } = await verifiedDomain(owner, names));
  connection = await connectionOf(owner);
  stream = await register(owner, { emailSubjects: true });
});
afterAll(async () => {
  await app.dispose();
  await Promise.all([names.close(), issuer.close(), transmitter.close()]);
});

function connectionOf(session: Client): Promise<ConnectionDto> {
  return activeConnection(session, {
    type: 'oidc',
    oidc: { issuer: issuer.url, clientId: CLIENT.id, clientSecret: CLIENT.secret },
    provisioning: true,
  });
}

function register(session: Client, further: object = {}): Promise<TokenOfTransmitterDto> {
  const body = { name: uniqueName('transmitter'), issuer: transmitter.url, audience: AUDIENCE, ...further };
  return must(session.post<TokenOfTransmitterDto>(PATH, body), 201);
}

/** Somebody who has signed in through the provider: with the cookie of a browser, and with tokens. */
interface SignedIn {
  readonly id: string;
  readonly api: Client;
  readonly browser: Client;
  readonly refreshToken: string;
}

async function signedIn(sub: string, tenant = acme, through = connection): Promise<SignedIn> {
  issuer.claims = { sub, email: `${sub}@${domain}`, email_verified: true, name: sub };
  const json = { accept: 'application/json' };
  const begin = async (browser: Browser, headers?: Record<string, string>) =>
    browser.get(ssoUrl(app, tenant, through, 'start'), headers);
  const [program, person] = [new Browser(), new Browser()];
  const begun = (await begin(program, json)).body as { authorizationUrl: string };
  const tokens = (await program.get(issuer.approve(begun.authorizationUrl), json)).body as TokensDto;
  await person.get(issuer.approve((await begin(person)).location ?? ''));
  const api = client(app.baseUrl, tokens.accessToken);
  const browser = client(app.baseUrl, undefined, {
    cookie: person.cookies(app.baseUrl),
    accept: 'text/html',
    'user-agent': 'node',
  });
  const { user } = await must(api.get<{ user: { id: string } }>('/v1/me'), 200);
  await must(browser.get('/v1/me'), 200);
  return { id: user.id, api, browser, refreshToken: tokens.refreshToken };
}

const sql = (text: string, values: unknown[]) =>
  asSuperuser(app.home, 'us-east-1', (database) => database.query(text, values));
const subject = (sub: string, iss = issuer.url) => ({ format: 'iss_sub', iss, sub });
const send = (set: string, token: string | undefined = stream.token): Promise<Delivered> =>
  push(app.baseUrl, token, set);
const tell = async (type: string, about: unknown, further: object = {}): Promise<Delivered> =>
  send(await transmitter.set(type, about, further));
const status = async (api: Client): Promise<number> => (await api.get('/v1/me')).status;
const refresh = (refreshToken: string) => client(app.baseUrl).post('/v1/auth/refresh', { refreshToken });

/** Until it is refused; fails where that takes a second or more. */
async function deadWithin(api: Client, since: number): Promise<void> {
  while ((await status(api)) !== 401) expect(performance.now() - since).toBeLessThan(SECOND);
}

describe('session-revoked', () => {
  it('ends cookie, access token, refresh token and an open stream within a second, and not the API key', async () => {
    const [eve, other] = [await signedIn('eve'), await signedIn('other')];
    await must(acme.api.patch(`/v1/users/${eve.id}`, { role: 'Developer' }), 200);
    const again = await signedIn('eve');
    const key = await createApiKey(again.api, ['*:admin']);
    const agent = await publishedAgent(acme.api, { model: { name: 'demo-slow' } });
    const run = await startRun(acme.api, agent.id);
    await runIn(acme.api, run.id, new Set(['RUNNING']));
    let begun = (): void => undefined;
    const beginning = new Promise<void>((resolve) => (begun = resolve));
    const cut = (async () => {
      for await (const _event of again.api.events(`/v1/runs/${run.id}/events`)) begun();
      return performance.now();
    })();
    await beginning;

    expect(
      await tell(`${CAEP}session-revoked`, subject('eve'), { payload: { reason_admin: { en: 'Lost' } } }),
    ).toEqual(TAKEN);
    const since = performance.now();
    await deadWithin(again.api, since);
    await deadWithin(again.browser, since);
    expect((await refresh(again.refreshToken)).status).toBe(401);
    const cutAfter = (await cut) - since;
    expect(cutAfter).toBeLessThan(SECOND);
    process.stdout.write(
      `session-revoked: all refused after ${Math.round(performance.now() - since)} ms, stream cut after ${Math.round(cutAfter)} ms\n`,
    );
    expect(await status(client(app.baseUrl, key.key))).toBe(200);
    expect(await status(other.api)).toBe(200);
    expect(await lastEvent(acme, 'signal.sessions_ended')).toMatchObject({
      outcome: 'success',
      actor: { type: 'transmitter', id: stream.id },
      resource: { type: 'user', id: eve.id },
      changes: { events: [`${CAEP}session-revoked`], outcomes: [{ user: eve.id, sessionsEnded: 2 }] },
    });
    expect(await status((await signedIn('eve')).api)).toBe(200);
    await acme.api.post(`/v1/runs/${run.id}/cancel`);
  });

  it.each<[string, (sub: string) => Parameters<SsfTransmitter['set']>]>([
    [
      'by an e-mail address',
      (sub) => [`${CAEP}session-revoked`, { format: 'email', email: `${sub}@${domain}` }],
    ],
    [
      'as the user of a complex subject, whatever the device',
      (sub) => [
        `${CAEP}session-revoked`,
        { format: 'complex', user: subject(sub), device: { format: 'opaque', id: 'd1' } },
      ],
    ],
    [
      'as the drafts have it, in the event itself',
      (sub) => [
        `${RISC}sessions-revoked`,
        undefined,
        { payload: { subject: { subject_type: 'iss-sub', iss: issuer.url, sub } } },
      ],
    ],
  ])('finds somebody %s', async (_how, say) => {
    const sub = uniqueName('p');
    const { api } = await signedIn(sub);
    expect(await send(await transmitter.set(...say(sub)))).toEqual(TAKEN);
    await deadWithin(api, performance.now());
  });

  it('is nobody’s where the subject is opaque, unknown, of another issuer, or of a domain that is not verified', async () => {
    const { api } = await signedIn('fay');
    const person = await createPerson(acme.api, 'Developer');
    for (const about of [
      { format: 'opaque', id: 'fay' },
      subject('nobody'),
      subject('fay', 'https://other.example'),
      { format: 'email', email: person.email },
      { format: 'complex', tenant: { format: 'opaque', id: 't1' } },
    ]) {
      expect(await tell(`${CAEP}session-revoked`, about)).toEqual(TAKEN);
      expect((await lastEvent(acme, 'signal.received'))?.changes).toMatchObject({ subject: 'unknown' });
    }
    expect(await status(api)).toBe(200);
    expect(await status(client(app.baseUrl, (await signIn(app, acme.slug, person)).accessToken))).toBe(200);
  });

  it('is nobody’s by an address, where the transmitter may not name people so', async () => {
    const { api } = await signedIn('gil');
    const { token } = await register(await steppedUp(app, acme));
    const about = { format: 'email', email: `gil@${domain}` };
    expect(await send(await transmitter.set(`${CAEP}session-revoked`, about), token)).toEqual(TAKEN);
    expect(await status(api)).toBe(200);
  });
});

describe('credential-change', () => {
  it('ends sessions, and the trust in browsers in which a second factor was proved', async () => {
    const { id, api } = await signedIn('hal');
    await sql(
      `INSERT INTO "${acme.id}".trusted_devices (id, user_id, secret_hash, fingerprint, client, proved_at, expires_at)
        VALUES ($1, $2, sha256('x'::bytea), sha256('y'::bytea), '', now(), now() + interval '1 day')`,
      [randomUUID(), id],
    );
    const payload = { credential_type: 'password', change_type: 'update' };
    expect(await tell(`${CAEP}credential-change`, subject('hal'), { payload })).toEqual(TAKEN);
    await deadWithin(api, performance.now());
    const { rows } = await sql(
      `SELECT count(*)::int AS left FROM "${acme.id}".trusted_devices WHERE user_id = $1`,
      [id],
    );
    expect(rows).toEqual([{ left: 0 }]);
  });
});

describe('account-disabled', () => {
  it.each(['account-disabled', 'account-purged'])(
    '%s disables the person, API keys included',
    async (type) => {
      const sub = uniqueName('p');
      const { id } = await signedIn(sub);
      await must(acme.api.patch(`/v1/users/${id}`, { role: 'Developer' }), 200);
      const { api } = await signedIn(sub);
      const key = client(app.baseUrl, (await createApiKey(api, ['*:admin'])).key);
      expect(await status(key)).toBe(200);
      expect(await tell(`${RISC}${type}`, subject(sub))).toEqual(TAKEN);
      const since = performance.now();
      await deadWithin(api, since);
      await deadWithin(key, since);
      expect(await lastEvent(acme, 'signal.person_disabled')).toMatchObject({
        resource: { type: 'user', id },
        changes: { outcomes: [{ user: id, disabled: true }] },
      });
      // What gives access is taken, and does nothing.
      expect(await tell(`${RISC}account-enabled`, subject(sub))).toEqual(TAKEN);
      const { items } = await must(
        acme.api.get<{ items: { id: string; status: string }[] }>('/v1/users?limit=100'),
        200,
      );
      expect(items.find((one) => one.id === id)?.status).toBe('disabled');
    },
  );

  it('leaves the last Owner, and says so', async () => {
    await globexStream();
    const about = { format: 'email', email: globex.owner.email };
    await verifyDomainOf(globex);
    expect(await send(await transmitter.set(`${RISC}account-disabled`, about), globexToken)).toEqual(TAKEN);
    expect(await lastEvent(globex, 'signal.received')).toMatchObject({
      outcome: 'denied',
      changes: { outcomes: [{ user: globex.owner.id, kept: 'last_owner' }] },
    });
    expect(await status(globex.api)).toBe(200);
  });

  it('does nothing to who holds more than whoever has set the transmitter', async () => {
    const person = await createPerson(acme.api, 'Admin');
    const { token } = await register(await steppedUp(app, acme, person), { emailSubjects: true });
    await verifyDomainOf(acme);
    const about = { format: 'email', email: acme.owner.email };
    for (const type of [`${RISC}account-disabled`, `${CAEP}session-revoked`])
      expect(await send(await transmitter.set(type, about), token)).toEqual(TAKEN);
    expect(await lastEvent(acme, 'signal.received')).toMatchObject({
      outcome: 'denied',
      changes: { outcomes: [{ user: acme.owner.id, kept: 'role_above_transmitter' }] },
    });
    expect(await status(owner)).toBe(200);
  });

  it('does nothing to who holds more by a grant either', async () => {
    const setter = await createPerson(acme.api, 'Member');
    const role = await makeRole(acme.api, ['signal_transmitter:manage']);
    await grant(acme.api, '', setter.id, { roleId: role.id });
    const { token } = await register(await steppedUp(app, acme, setter), { emailSubjects: true });
    await verifyDomainOf(acme);
    const body = { password: 'correct horse battery staple 1', role: 'Member' };
    const email = `${uniqueName('raised')}@${acme.owner.email.split('@')[1]}`;
    const { id } = await must(acme.api.post<{ id: string }>('/v1/users', { ...body, email }), 201);
    await grant(acme.api, '', id, { role: 'Admin' });
    const set = await transmitter.set(`${RISC}account-disabled`, { format: 'email', email });
    expect(await send(set, token)).toEqual(TAKEN);
    expect(await lastEvent(acme, 'signal.received')).toMatchObject({
      outcome: 'denied',
      changes: { outcomes: [{ user: id, kept: 'role_above_transmitter' }] },
    });
  });
});

let globexToken = '';
async function globexStream(): Promise<void> {
  if (globexToken === '')
    globexToken = (await register(await steppedUp(app, globex), { emailSubjects: true })).token;
}

/** As if the DNS had proven the domain of its owner's address. */
async function verifyDomainOf({ id, owner: { email } }: TestTenant): Promise<void> {
  const text = 'INSERT INTO control.domains (name, tenant) VALUES ($1, $2) ON CONFLICT DO NOTHING';
  await sql(text, [email.split('@')[1], id]);
}

describe('events that change nothing', () => {
  it.each(['device-compliance-change', 'assurance-level-change', 'token-claims-change'])(
    '%s is logged',
    async (type) => {
      const sub = uniqueName('p');
      const { id, api } = await signedIn(sub);
      expect(await tell(`${CAEP}${type}`, subject(sub))).toEqual(TAKEN);
      expect(await lastEvent(acme, 'signal.received')).toMatchObject({
        outcome: 'success',
        resource: { type: 'user', id },
        changes: { events: [`${CAEP}${type}`], effect: 'none' },
      });
      expect(await status(api)).toBe(200);
    },
  );

  it('verification and stream-updated are kept where an administrator sees them', async () => {
    const about = { format: 'opaque', id: 'stream-1' };
    expect(await tell(`${SSF}verification`, about, { payload: { state: 'VGhpcyBpcyBh' } })).toEqual(TAKEN);
    expect(await tell(`${SSF}stream-updated`, about, { payload: { status: 'paused' } })).toEqual(TAKEN);
    const read = await must(acme.api.get<TransmitterDto>(`${PATH}/${stream.id}`), 200);
    expect(read.verification?.state).toBe('VGhpcyBpcyBh');
    expect(read.stream?.status).toBe('paused');
    expect(read).not.toHaveProperty('token');
  });
});

describe('what is not taken', () => {
  let about: ReturnType<typeof subject>;
  beforeAll(() => {
    about = subject('ivy');
  });
  const revoked = `${CAEP}session-revoked`;
  const seconds = (): number => Math.floor(Date.now() / 1_000);
  const b64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

  it.each<[string, string, () => Promise<string>]>([
    [
      'an unsigned token',
      'invalid_key',
      async () =>
        `${b64({ alg: 'none', typ: 'secevent+jwt', kid: 'k' })}.${(await transmitter.set(revoked, about)).split('.')[1]}.`,
    ],
    [
      'one signed by a key that it does not publish, under the name of one that it does',
      'invalid_key',
      async () => {
        const { kid } = transmitter.keys[0] ?? { kid: '' };
        return transmitter.set(revoked, about, { key: { ...(await newSigningKey()), kid } });
      },
    ],
    [
      'a key that nobody knows',
      'invalid_key',
      async () => transmitter.set(revoked, about, { key: await newSigningKey() }),
    ],
    [
      'no name of a key',
      'invalid_key',
      () => transmitter.set(revoked, about, { header: { kid: undefined } }),
    ],
    ['a secret as key', 'invalid_key', async () => hmacSigned(await transmitter.set(revoked, about))],
    [
      'a body that was changed',
      'invalid_key',
      async () => {
        const [header, body = '', signature] = (await transmitter.set(revoked, subject('nobody'))).split('.');
        const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as JWTPayload;
        return `${header}.${b64({ ...claims, sub_id: about })}.${signature}`;
      },
    ],
    [
      'another issuer',
      'invalid_issuer',
      () => transmitter.set(revoked, about, { claims: { iss: 'https://a.example' } }),
    ],
    [
      'another audience',
      'invalid_audience',
      () => transmitter.set(revoked, about, { claims: { aud: ['https://b'] } }),
    ],
    [
      'no audience',
      'invalid_audience',
      () => transmitter.set(revoked, about, { claims: { aud: undefined } }),
    ],
    [
      'one of eight days ago',
      'invalid_request',
      () => transmitter.set(revoked, about, { claims: { iat: seconds() - 8 * 86_400 } }),
    ],
    [
      'one of tomorrow',
      'invalid_request',
      () => transmitter.set(revoked, about, { claims: { iat: seconds() + 86_400 } }),
    ],
    [
      'an expired one',
      'invalid_request',
      () => transmitter.set(revoked, about, { claims: { exp: seconds() - 600 } }),
    ],
    ['no jti', 'invalid_request', () => transmitter.set(revoked, about, { claims: { jti: undefined } })],
    ['no iat', 'invalid_request', () => transmitter.set(revoked, about, { claims: { iat: undefined } })],
    ['an ID token', 'invalid_request', () => transmitter.set(revoked, about, { header: { typ: 'JWT' } })],
    ['no events', 'invalid_request', () => transmitter.set(revoked, about, { claims: { events: {} } })],
    [
      'an event that is no object',
      'invalid_request',
      () => transmitter.set(revoked, about, { claims: { events: { [revoked]: 1 } } }),
    ],
    ['no subject', 'invalid_request', () => transmitter.set(revoked, undefined)],
    [
      'a subject without its members',
      'invalid_request',
      () => transmitter.set(revoked, { format: 'iss_sub' }),
    ],
    ['no token at all', 'invalid_request', () => Promise.resolve('nonsense')],
    ['an empty body', 'invalid_request', () => Promise.resolve('')],
  ])('%s', async (_what, err, make) => {
    const { api } = await signedIn('ivy');
    const { status: answered, type, text } = await send(await make());
    expect([answered, type]).toEqual([400, 'application/json; charset=utf-8']);
    const said = JSON.parse(text) as { err: string; description: string };
    expect(said.err).toBe(err);
    expect(said.description.length).toBeGreaterThan(10);
    expect(await status(api)).toBe(200);
    expect(await lastEvent(acme, 'signal.received')).toMatchObject({
      outcome: err === 'invalid_request' ? 'failure' : 'denied',
      reason: `SET_${err.toUpperCase()}`,
    });
  });

  it('anything under a token that is wrong, of another organisation, or missing', async () => {
    const { api } = await signedIn('ivy');
    const set = await transmitter.set(revoked, about);
    await globexStream();
    for (const token of ['', `${stream.token.slice(0, -1)}x`]) {
      const { status: answered, text } = await push(app.baseUrl, token === '' ? undefined : token, set);
      expect([answered, (JSON.parse(text) as { err: string }).err]).toEqual([401, 'authentication_failed']);
    }
    // Genuine there, and there it names nobody: who is who at a provider is each organisation's own.
    expect(await send(set, globexToken)).toEqual(TAKEN);
    expect((await lastEvent(globex, 'signal.received'))?.changes).toMatchObject({ subject: 'unknown' });
    expect(await status(api)).toBe(200);
  });

  it('anything of somebody who is no transmitter, whatever they may do', async () => {
    const set = await transmitter.set(revoked, about);
    const { status: answered, text } = await push(app.baseUrl, acme.apiKey, set);
    expect(answered).toBe(403);
    expect(JSON.parse(text)).toMatchObject({ err: 'access_denied', code: 'PERMISSION_DENIED' });
    // And a transmitter does nothing else.
    const other = client(app.baseUrl, stream.token);
    for (const path of ['/v1/me', '/v1/users', PATH]) expect((await other.get(path)).status).toBe(403);
  });

  it('a body of another kind, or one that is too large', async () => {
    const set = await transmitter.set(revoked, about);
    expect((await push(app.baseUrl, stream.token, JSON.stringify({ set }), 'application/json')).status).toBe(
      400,
    );
    expect((await send('x'.repeat(100_000))).status).toBe(413);
  });

  it('again what was taken: it is answered as before, and does nothing', async () => {
    await signedIn('jon');
    const set = await transmitter.set(revoked, subject('jon'));
    expect(await send(set)).toEqual(TAKEN);
    const { api } = await signedIn('jon');
    expect(await send(set)).toEqual(TAKEN);
    expect((await lastEvent(acme, 'signal.received'))?.changes).toMatchObject({ repeated: true });
    expect(await status(api)).toBe(200);
    // Many at once count once too.
    const another = await transmitter.set(revoked, subject('jon'));
    const answers = await Promise.all(Array.from({ length: 8 }, () => send(another)));
    expect(answers).toEqual(answers.map(() => TAKEN));
    const { items } = await must(
      acme.api.get<{ items: { resource?: { id: string } }[] }>(
        '/v1/audit/events?limit=50&action=signal.sessions_ended',
      ),
      200,
    );
    const { user } = await must((await signedIn('jon')).api.get<{ user: { id: string } }>('/v1/me'), 200);
    expect(items.filter(({ resource }) => resource?.id === user.id)).toHaveLength(2);
  });
});

function hmacSigned(honest: string): string {
  const [, body] = honest.split('.');
  const header = Buffer.from(JSON.stringify({ alg: 'HS256', typ: 'secevent+jwt', kid: 'k' })).toString(
    'base64url',
  );
  return `${header}.${body}.${Buffer.from('signature').toString('base64url')}`;
}

describe('keys of the transmitter', () => {
  it('are asked for once more, however many events come by names that nobody knows; a new one is known within seconds', async () => {
    const other = await SsfTransmitter.start('ES256');
    const { token } = await register(await steppedUp(app, acme), { issuer: other.url });
    const deliver = async (key?: SigningKey): Promise<number> => {
      const set = await other.set(`${CAEP}session-revoked`, subject('nobody'), key && { key });
      return (await send(set, token)).status;
    };
    expect(await deliver()).toBe(202);
    const [former] = other.keys;
    const next = await newSigningKey('PS256');
    await Promise.all(Array.from({ length: 10 }, () => deliver(next)));
    expect(other.asked).toBe(2);
    other.keys = [next];
    await eventually(async () => expect(await deliver()).toBe(202), 20 * SECOND);
    expect(other.asked).toBe(3);
    expect(await deliver(former)).toBe(400);
    await other.close();
  });

  it('that cannot be had are a reason to send the event again, not to give it up', async () => {
    const other = await SsfTransmitter.start();
    const { token } = await register(await steppedUp(app, acme), { issuer: other.url });
    other.down = true;
    const set = await other.set(`${CAEP}session-revoked`, subject('nobody'));
    expect((await send(set, token)).status).toBe(503);
    other.down = false;
    await eventually(async () => expect(await send(set, token)).toEqual(TAKEN), 20 * SECOND);
    await other.close();
  });
});

describe('a transmitter', () => {
  it('is set by an administrator who has just proved who they are', async () => {
    const body = { name: 'x', issuer: transmitter.url, audience: AUDIENCE };
    expect(await refusal(acme.api.post(PATH, body))).toEqual({ status: 403, code: 'STEP_UP_NEEDS_SESSION' });
    const developer = await createPerson(acme.api, 'Developer');
    const session = await steppedUp(app, acme, developer);
    expect((await session.post(PATH, body)).status).toBe(403);
    expect((await session.get(PATH)).status).toBe(403);
  });

  it('is found by its issuer, which it must name itself by, and at no address that is out of reach', async () => {
    const session = await steppedUp(app, acme);
    expect(stream.jwksUri).toBe(transmitter.url.replace('/tenant-1', '/keys'));
    const origin = new URL(transmitter.url).origin;
    for (const [wrong, code] of [
      [{ issuer: `${origin}/liar` }, 'PROVIDER_UNREACHABLE'],
      [{ issuer: `${origin}/nothing` }, 'PROVIDER_UNREACHABLE'],
      [{ issuer: 'http://169.254.169.254/latest' }, 'PROVIDER_UNREACHABLE'],
      [{ issuer: `${transmitter.url}?a=b` }, 'INVALID_REQUEST'],
      [{ issuer: 'ftp://a.example' }, 'INVALID_REQUEST'],
      [{ jwksUri: 'file:///etc/passwd' }, 'INVALID_REQUEST'],
    ] as const) {
      const body = { name: 'x', issuer: transmitter.url, audience: AUDIENCE, ...wrong };
      expect((await refusal(session.post(PATH, body))).code).toBe(code);
    }
  });

  it('reaches as far as whoever has set it last; a name sets nothing', async () => {
    const admin = await steppedUp(app, acme, await createPerson(acme.api, 'Admin'));
    const path = `${PATH}/${(await register(await steppedUp(app, acme))).id}`;
    const change = async (body: object) =>
      (await must(admin.patch<TransmitterDto>(path, body), 200)).highestRole;
    expect(await change({ name: 'renamed' })).toBe('Owner');
    expect(await refusal(admin.post(`${path}/rotate-token`, {}))).toMatchObject({
      code: 'GRANT_EXCEEDS_OWN',
    });
    expect(await change({ emailSubjects: true })).toBe('Admin');
    expect((await admin.post(`${path}/rotate-token`, {})).status).toBe(200);
  });

  it('is nobody else’s: of another organisation it is not found', async () => {
    const session = await steppedUp(app, globex);
    expect((await session.get(`${PATH}/${stream.id}`)).status).toBe(404);
    expect((await session.patch(`${PATH}/${stream.id}`, { state: 'disabled' })).status).toBe(404);
    expect((await session.post(`${PATH}/${stream.id}/rotate-token`, {})).status).toBe(404);
    expect((await session.delete(`${PATH}/${stream.id}`)).status).toBe(404);
  });

  it('has its token replaced, with the former one for as long as is said; disabled or deleted it has none', async () => {
    const session = await steppedUp(app, acme);
    const one = await register(session);
    const deliver = async (token: string): Promise<number> =>
      (await send(await transmitter.set(`${SSF}verification`, { format: 'opaque', id: 's' }), token)).status;
    const rotate = (overlapSeconds: number) =>
      must(session.post<TokenOfTransmitterDto>(`${PATH}/${one.id}/rotate-token`, { overlapSeconds }), 200);
    const second = await rotate(3_600);
    expect([await deliver(one.token), await deliver(second.token)]).toEqual([202, 202]);
    const third = await rotate(0);
    const dead = async (token: string): Promise<void> => {
      const since = performance.now();
      while ((await deliver(token)) !== 401) expect(performance.now() - since).toBeLessThan(SECOND);
    };
    await dead(one.token);
    await dead(second.token);
    expect(await deliver(third.token)).toBe(202);
    await must(session.patch(`${PATH}/${one.id}`, { state: 'disabled' }), 200);
    await dead(third.token);
    await must(session.patch(`${PATH}/${one.id}`, { state: 'active' }), 200);
    expect(await deliver(third.token)).toBe(202);
    await must(session.delete(`${PATH}/${one.id}`), 204);
    await dead(third.token);
  });
});
