import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { TokensDto } from '../../src/auth/auth.dto.js';
import { publishedAgent, runIn, startRun } from '../support/agents.js';
import { HIGH_LIMITS } from '../support/application.js';
import { client, must, type Client } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { startInstallation, type Installation } from '../support/installation.js';
import {
  createApiKey,
  createPerson,
  createTenant,
  signIn,
  type Person,
  type TestTenant,
} from '../support/tenants.js';

const SECOND = 1_000;
const ROUNDS = Number(process.env['WAXELL_REVOCATIONS'] ?? 2);
let installation: Installation;
let first: string;
let second: string;
let acme: TestTenant;
let database: pg.Client;

beforeAll(async () => {
  installation = await startInstallation(2, HIGH_LIMITS);
  [first = '', second = ''] = installation.baseUrls;
  acme = await createTenant({ baseUrl: first, firstRun: { operatorKey: installation.operatorKey } });
  database = new pg.Client({ connectionString: installation.databaseUrl });
  await database.connect();
});
afterAll(async () => {
  await database.end();
  await installation.dispose();
});

/** Credentials of a person, used at the second process, and what ends them at the first. */
interface Revocation {
  readonly dies: (person: Person, tokens: TokensDto, key: { id: string; key: string }) => string[];
  readonly revoke: (person: Person, tokens: TokensDto, key: { id: string; key: string }) => Promise<unknown>;
}

const both: Revocation['dies'] = (_person, tokens, { key }) => [tokens.accessToken, key];
const session: Revocation['dies'] = (_person, tokens) => [tokens.accessToken];
const own = (tokens: TokensDto): Client => client(first, tokens.accessToken);

const REVOCATIONS: Readonly<Record<string, Revocation>> = {
  'a person is disabled': {
    dies: both,
    revoke: ({ id }) => must(acme.api.patch(`/v1/users/${id}`, { status: 'disabled' }), 200),
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

/** Milliseconds from when the revocation was answered until the second process last served the credential, from asking on. */
async function lastServed({ dies, revoke }: Revocation, before: () => Promise<unknown>): Promise<number[]> {
  const person = await createPerson(acme.api, 'Developer');
  const tokens = await signIn({ baseUrl: first }, acme.slug, person);
  const key = await createApiKey(own(tokens), ['*:admin']);
  const dying = dies(person, tokens, key);
  for (const credential of dying) await must(client(second, credential).get('/v1/me'), 200);
  const probing = dying.map(async (credential) => {
    const served: number[] = [];
    for (let until = Infinity; ;) {
      const askedAt = performance.now();
      const { status } = await client(second, credential).get('/v1/me');
      expect([200, 401]).toContain(status);
      if (status === 401) return served;
      served.push(askedAt);
      until = Math.min(until, revokedAt === Infinity ? Infinity : revokedAt + 5 * SECOND);
      if (askedAt > until) return served;
    }
  });
  let revokedAt = Infinity;
  await before();
  await revoke(person, tokens, key);
  revokedAt = performance.now();
  return (await Promise.all(probing)).map((served) => Math.max(0, (served.at(-1) ?? 0) - revokedAt));
}

const stopped: number[] = [];
afterEach(letFeedsSpeak);

function letFeedsSpeak(): void {
  for (const pid of stopped.splice(0)) signal(pid, 'SIGCONT');
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // Its client had given it up, and it has ended.
  }
}

/** The connections by which processes hear of changes are there, and say nothing: as when a machine in between is gone. */
async function silenceFeeds(): Promise<void> {
  const pids = await eventually(async () => {
    const { rows } = await database.query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity WHERE application_name = 'waxell-feed'`,
    );
    expect(rows).toHaveLength(2);
    return rows.map(({ pid }) => pid);
  }, 10 * SECOND);
  stopped.push(...pids);
  for (const pid of pids) signal(pid, 'SIGSTOP');
}

describe.each([
  ['with the change feed', () => Promise.resolve()],
  ['while the change feed says nothing', silenceFeeds],
])('%s', (_how, before) => {
  it.each(Object.entries(REVOCATIONS))(
    'when %s, every process refuses within a second',
    async (what, revocation) => {
      const times: number[] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        times.push(...(await lastServed(revocation, before)));
        letFeedsSpeak();
      }
      const ordered = times.toSorted((a, b) => a - b);
      const p99 = ordered[Math.ceil(ordered.length * 0.99) - 1] ?? Infinity;
      process.stdout.write(`${what}: p99 ${Math.round(p99)} ms of ${times.length}\n`);
      expect(p99).toBeLessThan(SECOND);
    },
  );

  it('an open stream ends within a second of the end of its credential', async () => {
    const agent = await publishedAgent(acme.api, { model: { name: 'demo-slow' } });
    const person = await createPerson(acme.api, 'Developer');
    const tokens = await signIn({ baseUrl: first }, acme.slug, person);
    const run = await startRun(acme.api, agent.id);
    await runIn(acme.api, run.id, new Set(['RUNNING']));
    let begun = (): void => undefined;
    const beginning = new Promise<void>((resolve) => (begun = resolve));
    const stream = (async () => {
      for await (const _event of client(second, tokens.accessToken).events(`/v1/runs/${run.id}/events`))
        begun();
      return performance.now();
    })();
    await beginning;
    await before();
    await must(acme.api.delete(`/v1/users/${person.id}/sessions`), 200);
    const revokedAt = performance.now();
    expect((await stream) - revokedAt).toBeLessThan(SECOND);
    await acme.api.post(`/v1/runs/${run.id}/cancel`);
  });
});
