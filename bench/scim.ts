/**
 * What an identity provider asks for, of the built application beside two others: SCIMMY, which keeps everything in memory, and
 * the directory sync of SAML Jackson, which has a database of its own on the same PostgreSQL. Ours is durable, sealed, and has an
 * audit event for each answer; theirs are not.
 */
import { randomUUID } from 'node:crypto';
import { loadavg } from 'node:os';
import { startApplication, type Application } from '../test/tour/application.ts';
import { EmbeddedDatabase } from '../test/tour/database.ts';
import { HttpLoad } from './http-load.ts';
import {
  compare,
  table,
  type BenchOptions,
  type BenchResult,
  type Comparison,
  type Side,
} from './measure.ts';
import { ourServer, Peers, type ScimServer } from './scim-sides.ts';
import { UNREACHED_LIMITS } from './our-side.ts';

const CONNECTIONS = 8;
const MEMBERS = 1_000;
const WRITERS = 16;
const ANSWER_LIMIT_MS = 60_000;
/** RFC 7644, 3.5.2: with the group or without. SCIMMY answers 204 where another took back what was to be changed. */
const PATCHED = [200, 204];
const USER = 'urn:ietf:params:scim:schemas:core:2.0:User';
const GROUP = 'urn:ietf:params:scim:schemas:core:2.0:Group';
const PATCH = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';
/** Each path of the program is asked for the first time here. */
const USUAL = { warmUp: 5 };
/** SCIMMY takes seconds for eight changes of a group of a thousand at once: in shorter rounds it would answer none. */
const SLOW = { warmUp: 5, rounds: 3, seconds: 10 };

type Measured = 'lookup' | 'patch' | 'create';
interface Subject {
  readonly sides: Readonly<Record<Measured, Side>>;
  readonly server: ScimServer;
  readonly group: string;
  readonly writers: readonly string[];
}

export default async function scim({ say, profileFolder }: BenchOptions): Promise<BenchResult> {
  const load = new HttpLoad();
  const started: ScimServer[] = [];
  let app: Application | undefined;
  let peers: Peers | undefined;
  try {
    app = await startApplication({
      env: UNREACHED_LIMITS,
      nodeArguments: profileFolder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`],
    });
    const database = await EmbeddedDatabase.of(app.home);
    peers = await Peers.install().catch((error: unknown) => {
      say(missing('The peers', error));
      return undefined;
    });
    const others: Record<string, Subject> = {};
    const ways = { scimmy: async () => [], jackson: async () => [await emptyDatabase(database)] };
    for (const [name, parameters] of Object.entries(ways)) {
      if (!peers) break;
      try {
        const server = await peers.start(`${name}.mjs`, ...(await parameters()));
        started.push(server);
        others[name] = await prepare(server, load, 1);
      } catch (error) {
        say(missing(name, error));
      }
    }
    const ours = await prepare(await ourServer(app), load);
    const comparisons: Record<string, Comparison> = {};
    for (const [name, other] of Object.entries(others)) {
      for (const measured of ['lookup', 'patch', 'create'] as const) {
        const sides = { baseline: other.sides[measured], ours: ours.sides[measured] };
        comparisons[`${measured}_vs_${name}`] = await compare(
          sides,
          measured === 'patch' && name === 'scimmy' ? SLOW : USUAL,
        );
      }
    }
    for (const line of table(comparisons)) say(line);
    for (const [url, count] of load.leftOut) say(`left out: ${count} wrong answers of ${url}`);
    const writersOk: Record<string, number> = {};
    for (const [name, subject] of Object.entries({ ours, ...others })) {
      writersOk[name] = await writersThatSucceed(subject);
      say(`${WRITERS} writers on one group, ${name}: ${writersOk[name]} members added`);
    }
    const events = await everyPersonHasItsEvent(database, app, load, ours.server);
    say(`scim_user.created: ${events.answers} answers, ${events.events} durable events`);
    const load1 = loadavg()[0]?.toFixed(2) ?? '';
    say(`load average: ${load1}`);
    const entries = Object.entries(comparisons);
    return {
      ratios: Object.fromEntries(entries.map(([name, { ratio }]) => [name, ratio])),
      absolute: {
        ...Object.fromEntries(entries.map(([name, { baseline, ours }]) => [name, { baseline, ours }])),
        connections: CONNECTIONS,
        writers: WRITERS,
        writers_ok: writersOk,
        created: events,
        loadAverage: Number(load1),
      },
    };
  } catch (error) {
    process.stderr.write(`The application said:\n${app?.output()}\n`);
    throw error;
  } finally {
    load.close();
    for (const server of started) server.stop();
    await peers?.remove();
    await app?.remove();
  }
}

function missing(what: string, error: unknown): string {
  const [line] = (error instanceof Error ? error.message : String(error)).split('\n');
  return `!!! NOT COMPARED: ${what}, which could not be installed or started, and has no ratios: ${line}`;
}

async function emptyDatabase(database: EmbeddedDatabase): Promise<string> {
  await database.asSuperuser((client) => client.query('CREATE DATABASE jackson'));
  const url = new URL(database.ownerUrl);
  url.pathname = '/jackson';
  return url.href;
}

/** A group of a thousand on a server, and somebody besides for each connection and each writer. */
async function prepare(server: ScimServer, load: HttpLoad, leaveOut = 0): Promise<Subject> {
  const { baseUrl, headers, pid } = server;
  const name = (at: number): string => `${label}-${at}@people.example`;
  const label = randomUUID();
  const ids: string[] = [];
  for (let at = 0; at < MEMBERS + CONNECTIONS + WRITERS; at += CONNECTIONS) {
    const some = Array.from({ length: CONNECTIONS }, (_, next) =>
      made(server, 'Users', person(name(at + next))),
    );
    ids.push(...(await Promise.all(some)));
  }
  const group = await made(server, 'Groups', { schemas: [GROUP], displayName: label });
  await send(server, 'PATCH', `/Groups/${group}`, change('add', ids.slice(0, MEMBERS)));
  const ask = { headers, connections: CONNECTIONS };
  const users = `${baseUrl}/Users`;
  const found = `${users}?filter=${encodeURIComponent(`userName eq "${name(MEMBERS / 2)}"`)}`;
  const answer = await (await send(server, 'GET', found.slice(baseUrl.length))).text();
  if (!answer.includes(ids[MEMBERS / 2] ?? '?')) throw new Error(`The lookup did not find: ${answer}`);
  const turns = ids
    .slice(MEMBERS, MEMBERS + CONNECTIONS)
    .map((id) => [change('add', [id]), change('remove', [id])].map((body) => JSON.stringify(body)));
  const body = JSON.stringify(person('[<id>]@people.example'));
  return {
    server,
    group,
    writers: ids.slice(MEMBERS + CONNECTIONS, MEMBERS + CONNECTIONS + WRITERS),
    sides: {
      lookup: (seconds) => load.run({ ...ask, url: found, method: 'GET', status: 200, answer, seconds }, pid),
      patch: (seconds) => {
        const url = `${baseUrl}/Groups/${group}`;
        const order = { ...ask, url, method: 'PATCH', turns, status: PATCHED, seconds, leaveOut } as const;
        return load.run(order, pid);
      },
      create: (seconds) => load.run({ ...ask, url: users, method: 'POST', body, status: 201, seconds }, pid),
    },
  };
}

function person(userName: string): Record<string, unknown> {
  const name = { givenName: 'Ada', familyName: 'Byron' };
  const emails = [{ value: userName, type: 'work', primary: true }];
  return { schemas: [USER], userName, name, emails, active: true };
}

function change(op: 'add' | 'remove', ids: readonly string[]): Record<string, unknown> {
  const [only = ''] = ids;
  const operation =
    op === 'add'
      ? { op, path: 'members', value: ids.map((value) => ({ value })) }
      : { op, path: `members[value eq "${only}"]` };
  return { schemas: [PATCH], Operations: [operation] };
}

async function made(server: ScimServer, kind: 'Users' | 'Groups', body: unknown): Promise<string> {
  return ((await (await send(server, 'POST', `/${kind}`, body)).json()) as { id: string }).id;
}

async function send(server: ScimServer, method: string, path: string, body?: unknown): Promise<Response> {
  const response = await fetch(`${server.baseUrl}${path}`, {
    method,
    headers: server.headers,
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
  });
  if (response.ok) return response;
  throw new Error(`${method} ${path} was answered with ${response.status}: ${await response.text()}`);
}

/** Each adds another person to the same group, all at once: whoever is told so and is in it afterwards. */
async function writersThatSucceed({ server, group, writers }: Subject): Promise<number> {
  const told = await Promise.allSettled(
    writers.map((id) => send(server, 'PATCH', `/Groups/${group}`, change('add', [id]))),
  );
  const held = new Set(await server.held(group, writers));
  return writers.filter((id, at) => told[at]?.status === 'fulfilled' && held.has(id)).length;
}

/** An answer without its event would make the comparison a lie. */
async function everyPersonHasItsEvent(
  database: EmbeddedDatabase,
  app: Application,
  load: HttpLoad,
  { baseUrl }: ScimServer,
): Promise<{ answers: number; events: number }> {
  const answers = load.answered.get(`${baseUrl}/Users`) ?? 0;
  const headers = { Authorization: `Bearer ${app.first.apiKey}` };
  const verified = await fetch(`${new URL(baseUrl).origin}/v1/audit/verify`, { headers });
  if (!((await verified.json()) as { valid: boolean }).valid)
    throw new Error('The audit log does not verify.');
  const found = await database.asSuperuser((client) =>
    client.query<{ count: number }>(
      `SELECT count(*)::int FROM audit.events WHERE action = 'scim_user.created' AND outcome = 'success'`,
    ),
  );
  const events = found.rows[0]?.count ?? 0;
  if (events < answers) throw new Error(`${answers} answers, but ${events} events of them.`);
  return { answers, events };
}
