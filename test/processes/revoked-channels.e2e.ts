import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AgentDto } from '../../src/agents/agents.dto.js';
import type { TokensDto } from '../../src/auth/auth.dto.js';
import type { ConnectionDto } from '../../src/federation/connections.dto.js';
import { CLIENT, OidcIssuer } from '../fakes/oidc-issuer.js';
import { publishedAgent, runIn, startRun } from '../support/agents.js';
import { HIGH_LIMITS } from '../support/application.js';
import { Browser } from '../support/browser.js';
import {
  cookieChannel,
  keyChannel,
  refreshChannel,
  runChannel,
  streamChannel,
  tokenChannel,
  type Channel,
  type Held,
} from '../support/channels.js';
import { client } from '../support/client.js';
import { startInstallation, type Installation } from '../support/installation.js';
import { createDirectory, mustScim, person as provided, type ScimClient } from '../support/scim.js';
import { activeConnection, ssoUrl, steppedUp } from '../support/single-sign-on.js';
import { createApiKey, createPerson, createTenant, uniqueName, type TestTenant } from '../support/tenants.js';

const SECOND = 1_000;
/** People whose access ends, of each kind; as many at once as there are cores to ask for them. */
const PEOPLE = Number(process.env['WAXELL_REVOKED_PEOPLE'] ?? 2);
/** A hundred people, and six ways in of each, take minutes beside other work. */
const LIMIT_MS = 600_000;
const AT_ONCE = 2;
let installation: Installation;
let first: string;
let second: string;
let acme: TestTenant;
let issuer: OidcIssuer;
let connection: ConnectionDto;
let directory: ScimClient;
let slow: AgentDto;
let watched: string;

beforeAll(async () => {
  issuer = await OidcIssuer.start();
  installation = await startInstallation(2, { ...HIGH_LIMITS, IDENTITY_PROVIDERS_ALLOW: '127.0.0.0/8' });
  [first = '', second = ''] = installation.baseUrls;
  acme = await createTenant({ baseUrl: first, firstRun: { operatorKey: installation.operatorKey } });
  const database = new pg.Client({ connectionString: installation.databaseUrl });
  await database.connect();
  // As if the DNS had proven it.
  await database.query(`INSERT INTO control.domains (name, tenant) VALUES ('people.example', $1)`, [acme.id]);
  await database.end();
  directory = (await createDirectory({ baseUrl: first }, acme)).scim;
  connection = await activeConnection(await steppedUp({ baseUrl: first }, acme), {
    type: 'oidc',
    oidc: { issuer: issuer.url, clientId: CLIENT.id, clientSecret: CLIENT.secret },
    provisioning: true,
    roles: { rules: [], defaultRole: 'Developer', everySignIn: false },
  });
  slow = await publishedAgent(acme.api, { model: { name: 'demo-slow' } });
});
afterAll(async () => {
  await installation.dispose();
  await issuer.close();
});

/** A run that is watched, and is not of whose access ends. */
async function runToWatch(): Promise<string> {
  const { id } = await startRun(acme.api, slow.id);
  await runIn(acme.api, id, new Set(['RUNNING']));
  return id;
}

/** Everybody by a password; their access ends by their directory. */
async function deactivated() {
  const person = await createPerson(acme.api, 'Developer');
  await mustScim(directory.post('/Users', provided({ userName: person.email })), 201);
  const anyone = client(first, undefined, { 'x-tenant-slug': acme.slug });
  const { email, password } = person;
  const { body: tokens, headers } = await anyone.post<TokensDto>('/v1/auth/login', { email, password });
  const held = { tokens, cookie: cookieOf(headers) };
  const key = await createApiKey(client(first, tokens.accessToken), ['*:admin']);
  return {
    // A session's refresh tokens are of one chain: its own session shows them.
    channels: async (): Promise<Channel[]> => [
      await streamChannel(second, tokens.accessToken, watched),
      await runChannel(acme.api, second, tokens.accessToken, slow.id),
      tokenChannel(second, held),
      cookieChannel(second, held),
      keyChannel(second, key.key),
      refreshChannel(second, held),
    ],
    revoke: () =>
      mustScim(directory.patch(`/Users/${person.id}`, { op: 'replace', value: { active: false } }), 200),
  };
}

/** Everybody by the provider, which ends their session. */
async function loggedOut() {
  const sub = uniqueName('subject');
  const held = await throughProvider(sub);
  return {
    channels: async (): Promise<Channel[]> => [
      await streamChannel(second, held.tokens.accessToken, watched),
      tokenChannel(second, held),
      cookieChannel(second, held),
      refreshChannel(second, held),
    ],
    revoke: async () => {
      const token = await issuer.logoutToken({ sub });
      const { status } = await new Browser().post(
        ssoUrl({ baseUrl: first }, acme, connection, 'backchannel-logout'),
        { logout_token: token },
      );
      expect(status).toBe(200);
    },
  };
}

async function throughProvider(sub: string): Promise<Held> {
  issuer.claims = { sub, email: `${sub}@people.example`, email_verified: true };
  const browser = new Browser();
  const json = { accept: 'application/json' };
  const begun = await browser.get(ssoUrl({ baseUrl: first }, acme, connection, 'start'), json);
  const { authorizationUrl } = begun.body as { authorizationUrl: string };
  // The application says its own address as browsers see it.
  const back = new URL(issuer.approve(authorizationUrl));
  const page = await browser.get(`${first}${back.pathname}${back.search}`, json);
  expect(page.status).toBe(200);
  return { tokens: page.body as TokensDto, cookie: cookieOf(page.headers) };
}

function cookieOf(headers: Headers): string {
  const session = headers.getSetCookie().find((text) => text.includes('waxell_session'));
  return session?.split(';')[0] ?? '';
}

/** By channel: milliseconds from when the end was answered until it was last served. */
async function timesOf(make: typeof deactivated | typeof loggedOut): Promise<Map<string, number[]>> {
  const times = new Map<string, number[]>();
  for (let done = 0; done < PEOPLE; done += AT_ONCE) {
    watched = await runToWatch();
    const people = [];
    for (let at = 0; at < Math.min(AT_ONCE, PEOPLE - done); at += 1) {
      const { channels, revoke } = await make();
      people.push({ channels: await channels(), revoke });
    }
    await Promise.all(
      people.map(async ({ channels, revoke }) => {
        await revoke();
        const revokedAt = performance.now();
        for (const { name, last } of channels) {
          const taken = Math.max(0, (await last) - revokedAt);
          times.set(name, [...(times.get(name) ?? []), taken]);
        }
      }),
    );
    await acme.api.post(`/v1/runs/${watched}/cancel`);
  }
  return times;
}

describe.each([
  ['a directory deactivates somebody', deactivated, 6],
  ['a provider logs somebody out by the back channel', loggedOut, 4],
] as const)('when %s', (what, make, channels) => {
  it('every way in is dead within a second, at another process', { timeout: LIMIT_MS }, async () => {
    const times = await timesOf(make);
    expect(times.size).toBe(channels);
    for (const [channel, taken] of times) {
      const ordered = taken.toSorted((a, b) => a - b);
      const p99 = ordered[Math.ceil(ordered.length * 0.99) - 1] ?? Infinity;
      process.stdout.write(`${what}: ${channel}: p99 ${Math.round(p99)} ms of ${taken.length}\n`);
      expect(taken).toHaveLength(PEOPLE);
      expect({ channel, p99: p99 < SECOND }).toEqual({ channel, p99: true });
    }
  });
});
