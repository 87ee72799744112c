import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { AgentDto } from '../../src/agents/agents.dto.js';
import type { TokensDto } from '../../src/auth/auth.dto.js';
import type { CreatedClientDto } from '../../src/oauth/clients.dto.js';
import type { TokenOfTransmitterDto } from '../../src/shared-signals/transmitters.dto.js';
import { AUDIENCE, CAEP, push, RISC, SsfTransmitter } from '../fakes/ssf-transmitter.js';
import { grant, makeRole } from '../support/access.js';
import { createAgent, publishedAgent, runIn, startRun, watchRun } from '../support/agents.js';
import { HIGH_LIMITS } from '../support/application.js';
import { client, must, type Client } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { Feeds } from '../support/feeds.js';
import { startInstallation, type Installation } from '../support/installation.js';
import { lastServed, p99Of } from '../support/last-served.js';
import { basicOf, createClient, sendForm, tokenOf } from '../support/oauth.js';
import { createDirectory, mustScim, person as provided, type ScimClient } from '../support/scim.js';
import { steppedUp } from '../support/single-sign-on.js';
import {
  createApiKey,
  createPerson,
  createTenant,
  signIn,
  uniqueName,
  type Person,
  type TestTenant,
} from '../support/tenants.js';

const SECOND = 1_000;
const ROUNDS = Number(process.env['WAXELL_REVOCATIONS'] ?? 1);
let installation: Installation;
let first: string;
let second: string;
let acme: TestTenant;
let database: pg.Client;
let feeds: Feeds;
let directory: ScimClient;
let transmitter: SsfTransmitter;
let streamToken: string;

beforeAll(async () => {
  transmitter = await SsfTransmitter.start();
  installation = await startInstallation(2, { ...HIGH_LIMITS, IDENTITY_PROVIDERS_ALLOW: '127.0.0.0/8' });
  [first = '', second = ''] = installation.baseUrls;
  acme = await createTenant({ baseUrl: first, firstRun: { operatorKey: installation.operatorKey } });
  database = new pg.Client({ connectionString: installation.databaseUrl });
  await database.connect();
  feeds = new Feeds(database, 2);
  // As if the DNS had proven it: the directory may take over people with such addresses.
  await database.query(`INSERT INTO control.domains (name, tenant) VALUES ('people.example', $1)`, [acme.id]);
  directory = (await createDirectory({ baseUrl: first }, acme)).scim;
  const stream = { name: 'test', issuer: transmitter.url, audience: AUDIENCE, emailSubjects: true };
  const owner = await steppedUp({ baseUrl: first }, acme);
  ({ token: streamToken } = await must(
    owner.post<TokenOfTransmitterDto>('/v1/shared-signals/transmitters', stream),
    201,
  ));
});
afterAll(async () => {
  await database.end();
  await installation.dispose();
  await transmitter.close();
});

type Act = () => Promise<unknown>;

/** Credentials of a person, used at the second process, and what ends them at the first. */
interface Revocation {
  readonly dies: (person: Person, tokens: TokensDto, key: { id: string; key: string }) => string[];
  readonly revoke: (person: Person, tokens: TokensDto, key: { id: string; key: string }) => Promise<unknown>;
}

/** A transmitter of security events tells of somebody, to the first process. */
async function tell(type: string, { email }: Person): Promise<void> {
  const set = await transmitter.set(type, { format: 'email', email });
  expect((await push(first, streamToken, set)).status).toBe(202);
}

const both: Revocation['dies'] = (_person, tokens, { key }) => [tokens.accessToken, key];
const session: Revocation['dies'] = (_person, tokens) => [tokens.accessToken];
const own = (tokens: TokensDto): Client => client(first, tokens.accessToken);

const REVOCATIONS: Readonly<Record<string, Revocation>> = {
  'a person is disabled': {
    dies: both,
    revoke: ({ id }) => must(acme.api.patch(`/v1/users/${id}`, { status: 'disabled' }), 200),
  },
  'a directory deactivates a person': {
    dies: both,
    revoke: async ({ id, email }) => {
      await mustScim(directory.post('/Users', provided({ userName: email })), 201);
      await mustScim(directory.patch(`/Users/${id}`, { op: 'replace', value: { active: false } }), 200);
    },
  },
  'a transmitter says that sessions are revoked': {
    dies: session,
    revoke: (person) => tell(`${CAEP}session-revoked`, person),
  },
  'a transmitter says that a credential has changed': {
    dies: session,
    revoke: (person) => tell(`${CAEP}credential-change`, person),
  },
  'a transmitter says that an account is disabled': {
    dies: both,
    revoke: (person) => tell(`${RISC}account-disabled`, person),
  },
  "a person's role is changed": {
    dies: session,
    revoke: ({ id }) => must(acme.api.patch(`/v1/users/${id}`, { role: 'Viewer' }), 200),
  },
  'somebody signs out': {
    dies: session,
    revoke: (_p, tokens) => must(own(tokens).post('/v1/auth/logout'), 204),
  },
  "a person's sessions are ended": {
    dies: session,
    revoke: ({ id }) => must(acme.api.delete(`/v1/users/${id}/sessions`), 200),
  },
  'a password is changed': {
    dies: session,
    revoke: ({ password }, tokens) =>
      must(
        own(tokens).post('/v1/auth/password', {
          currentPassword: password,
          newPassword: 'Marmalade on 12 scones',
        }),
        204,
      ),
  },
  'an API key is revoked': {
    dies: (_p, _t, { key }) => [key],
    revoke: (_p, _t, { id }) => must(acme.api.delete(`/v1/api-keys/${id}`), 204),
  },
};

/** The same of clients of OAuth, by their token. */
const OF_CLIENTS: Readonly<Record<string, (one: CreatedClientDto, token: string) => Promise<unknown>>> = {
  'a client is disabled': ({ id }) =>
    must(acme.api.patch(`/v1/oauth-clients/${id}`, { status: 'disabled' }), 200),
  'a client is deleted': ({ id }) => must(acme.api.delete(`/v1/oauth-clients/${id}`), 204),
  "a client's token is revoked": (one, token) =>
    sendForm(`${first}/oauth/revoke`, { token }, basicOf(one)).then(({ status }) => expect(status).toBe(200)),
};

async function signedIn(role: string): Promise<{ person: Person; tokens: TokensDto }> {
  const person = await createPerson(acme.api, role);
  return { person, tokens: await signIn({ baseUrl: first }, acme.slug, person) };
}

/** Of the second process; feeds that were silenced for it speak again. */
const servedLast = (dying: string[], before: Act, revoke: Act): Promise<number[]> =>
  lastServed(second, dying, before, revoke).finally(() => feeds.speak());

/** How long after a revocation the second process still served what the person holds. */
async function servedAfter({ dies, revoke }: Revocation, before: Act): Promise<number[]> {
  const { person, tokens } = await signedIn('Developer');
  const key = await createApiKey(own(tokens), ['*:admin']);
  return servedLast(dies(person, tokens, key), before, () => revoke(person, tokens, key));
}

/** How somebody who may nothing else comes to read an agent, and what takes that away again. */
const TAKEN_AWAY: Readonly<Record<string, (person: Person, agent: AgentDto) => Promise<Act>>> = {
  'a grant is revoked': async ({ id }, agent) => {
    const held = await grant(acme.api, `agents/${agent.id}/`, id, { role: 'Viewer' });
    return () => must(acme.api.delete(`/v1/grants/${held.id}`), 204);
  },
  'a role is changed': async ({ id }, agent) => {
    const role = await makeRole(acme.api, ['agent:read']);
    await grant(acme.api, `projects/${agent.projectId}/`, id, { roleId: role.id });
    return () => must(acme.api.patch(`/v1/roles/${role.id}`, { permissions: ['run:read'] }), 200);
  },
  'somebody leaves a group': async ({ id }, agent) => {
    const group = await must(
      acme.api.post<{ id: string }>('/v1/groups', { displayName: uniqueName('g') }),
      201,
    );
    await must(acme.api.patch(`/v1/groups/${group.id}/members`, { addPeople: [id] }), 200);
    const principal = { type: 'group', id: group.id };
    await must(acme.api.post(`/v1/agents/${agent.id}/grants`, { principal, role: 'Viewer' }), 201);
    return () => must(acme.api.patch(`/v1/groups/${group.id}/members`, { removePeople: [id] }), 200);
  },
  'other policies are in force': async ({ id }, agent) => {
    await grant(acme.api, `agents/${agent.id}/`, id, { role: 'Viewer' });
    const owner = await steppedUp({ baseUrl: first }, acme);
    const text = `@id("not-this") forbid (principal, action, resource == Agent::"${agent.id}");`;
    const { version } = await must(owner.post<{ version: number }>('/v1/access/policies', { text }), 201);
    return () => must(owner.post(`/v1/access/policies/${version}/activate`), 200);
  },
};

afterEach(() => feeds.speak());

describe.each([
  ['with the change feed', () => Promise.resolve()],
  ['while the change feed says nothing', () => feeds.silence()],
])('%s', (_how, before) => {
  it.each(Object.entries(REVOCATIONS))(
    'when %s, every process refuses within a second',
    async (what, revocation) => {
      expect(await p99Of(what, ROUNDS, () => servedAfter(revocation, before))).toBeLessThan(SECOND);
    },
  );

  it.each(Object.entries(OF_CLIENTS))(
    'when %s, every process refuses within a second',
    async (what, revoke) => {
      const measured = p99Of(what, ROUNDS, async () => {
        const one = await createClient(acme.api);
        const token = await tokenOf(first, one);
        return servedLast([token], before, () => revoke(one, token));
      });
      expect(await measured).toBeLessThan(SECOND);
    },
  );

  it.each(Object.entries(TAKEN_AWAY))(
    'when %s, every process refuses within a second what it had given',
    async (_what, give) => {
      const { person, tokens } = await signedIn('Member');
      const agent = await createAgent(acme.api);
      const takeAway = await give(person, agent);
      const elsewhere = client(second, tokens.accessToken);
      const read = async (): Promise<number> => (await elsewhere.get(`/v1/agents/${agent.id}`)).status;
      await eventually(async () => expect(await read()).toBe(200), 5 * SECOND);
      await before();
      await takeAway();
      const since = performance.now();
      let servedAt = since;
      for (let askedAt = since; (await read()) === 200; askedAt = performance.now()) {
        servedAt = askedAt;
        expect(askedAt - since).toBeLessThan(5 * SECOND);
      }
      expect(servedAt - since).toBeLessThan(SECOND);
      // Still signed in: it is the right that has ended, not the credential.
      expect((await elsewhere.get('/v1/me')).status).toBe(200);
    },
  );

  const credentials: Readonly<Record<string, () => Promise<readonly [string, Act]>>> = {
    "of a directory's person": async () => {
      const { person, tokens } = await signedIn('Developer');
      await mustScim(directory.post('/Users', provided({ userName: person.email })), 201);
      const deactivate = { op: 'replace', value: { active: false } };
      return [tokens.accessToken, () => mustScim(directory.patch(`/Users/${person.id}`, deactivate), 200)];
    },
    'of a session that a transmitter says is revoked': async () => {
      const { person, tokens } = await signedIn('Developer');
      return [tokens.accessToken, () => tell(`${CAEP}session-revoked`, person)];
    },
    "of a person's session": async () => {
      const { person, tokens } = await signedIn('Developer');
      return [tokens.accessToken, () => must(acme.api.delete(`/v1/users/${person.id}/sessions`), 200)];
    },
    'of a client that is disabled': async () => {
      const one = await createClient(acme.api);
      const path = `/v1/oauth-clients/${one.id}`;
      return [await tokenOf(first, one), () => must(acme.api.patch(path, { status: 'disabled' }), 200)];
    },
    'of somebody whose grant is revoked': async () => {
      const { person, tokens } = await signedIn('Member');
      const held = await grant(acme.api, '', person.id, { role: 'Viewer' });
      return [tokens.accessToken, () => must(acme.api.delete(`/v1/grants/${held.id}`), 204)];
    },
    'of a client, a token that is revoked': async () => {
      const one = await createClient(acme.api);
      const token = await tokenOf(first, one);
      return [token, () => sendForm(`${first}/oauth/revoke`, { token }, basicOf(one))];
    },
  };

  it.each(Object.entries(credentials))(
    'an open stream ends within a second of the end of its credential, %s',
    async (_whose, make) => {
      const agent = await publishedAgent(acme.api, { model: { name: 'demo-slow' } });
      const [token, revoke] = await make();
      const run = await startRun(acme.api, agent.id);
      await runIn(acme.api, run.id, new Set(['RUNNING']));
      const { ended } = await watchRun(client(second, token), run.id);
      await before();
      await revoke();
      const revokedAt = performance.now();
      expect((await ended) - revokedAt).toBeLessThan(SECOND);
      await acme.api.post(`/v1/runs/${run.id}/cancel`);
    },
  );

  it('runs of a person whom a directory deactivates are cancelled within a second, whoever works on them', async () => {
    const agent = await publishedAgent(acme.api, { model: { name: 'demo-slow' } });
    const { person, tokens } = await signedIn('Developer');
    await mustScim(directory.post('/Users', provided({ userName: person.email })), 201);
    const run = await startRun(client(second, tokens.accessToken), agent.id);
    await runIn(acme.api, run.id, new Set(['RUNNING']));
    await before();
    await mustScim(directory.patch(`/Users/${person.id}`, { op: 'replace', value: { active: false } }), 200);
    const deactivatedAt = performance.now();
    await runIn(acme.api, run.id, new Set(['CANCELLED']));
    expect(performance.now() - deactivatedAt).toBeLessThan(SECOND);
  });
});
