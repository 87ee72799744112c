/**
 * A request through the whole application beside the same row through bare Express and pg: `GET /v1/agents/{id}` and
 * `POST /v1/agents`, with API key, tenant's role, authorization and an audit event that is durable before the answer.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Caller } from '../test/tour/api.ts';
import { startApplication, type Application } from '../test/tour/application.ts';
import { EmbeddedDatabase } from '../test/tour/database.ts';
import { HttpLoad, type LoadOrder } from './http-load.ts';
import {
  compare,
  table,
  type BenchOptions,
  type BenchResult,
  type Comparison,
  type Side,
} from './measure.ts';
import { UNREACHED_LIMITS } from './our-side.ts';

/** Connections that callers hold; the smaller number shows what a lightly loaded process costs. */
const CONNECTIONS = 64;
const FEW_CONNECTIONS = 32;
interface Subject {
  readonly baseUrl: string;
  readonly headers: Record<string, string>;
  readonly tenant: string;
  readonly agentId: string;
  /** The body of every creation. */
  readonly creation: Record<string, unknown>;
}

export default async function request(options: BenchOptions): Promise<BenchResult> {
  const { profileFolder } = options;
  const app = await startApplication({
    env: UNREACHED_LIMITS,
    nodeArguments: profileFolder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`],
  });
  const load = new HttpLoad();
  try {
    const subject = await prepare(app);
    const database = await EmbeddedDatabase.of(app.home);
    const bare = await startBare(database.ownerUrl, subject.tenant);
    try {
      const sides = (path: { ours: string; bare: string }, order: Partial<LoadOrder>, status: number) =>
        pair(load, app, bare, subject, path, { connections: CONNECTIONS, ...order, status });
      const paths = { ours: `/v1/agents/${subject.agentId}`, bare: `/agents/${subject.agentId}` };
      const read = await compare(await sides(paths, {}, 200));
      const few = await compare(await sides(paths, { connections: FEW_CONNECTIONS }, 200));
      const body = JSON.stringify(subject.creation);
      const create = await compare(
        await sides({ ours: '/v1/agents', bare: '/agents' }, { method: 'POST', body }, 201),
      );
      const counted = await everyAnswerHasItsEvent(database, load, subject);
      return await report(
        options,
        database,
        { agent_read: read, agent_read_32_connections: few, agent_create: create },
        counted,
      );
    } finally {
      bare.stop();
    }
  } catch (error) {
    process.stderr.write(`The application said:\n${app.output()}\n`);
    throw error;
  } finally {
    load.close();
    await app.remove();
  }
}

async function prepare(app: Application): Promise<Subject> {
  const { apiKey, tenant } = app.first;
  const baseUrl = app.first.baseUrl.replace('localhost', '127.0.0.1');
  const headers = { Authorization: `Bearer ${apiKey}`, 'X-Tenant-Slug': tenant };
  const owner = new Caller(baseUrl, apiKey, tenant);
  const me = (await owner.get('/v1/me')).body as { tenant: { id: string } };
  const project = (await owner.post('/v1/projects', { name: 'bench' })).body as { id: string };
  const creation = {
    projectId: project.id,
    name: 'bench',
    definition: { instructions: 'Answer in one sentence.', model: { provider: 'demo', name: 'echo' } },
  };
  await allowAgents(new Caller(baseUrl, app.first.operatorKey), me.tenant.id);
  const agent = (await owner.post('/v1/agents', creation)).body as { id: string };
  return { baseUrl, headers, tenant: me.tenant.id, agentId: agent.id, creation };
}

/** As with the rates: every creation is counted against the quota, and none is one too many. */
async function allowAgents(operator: Caller, id: string): Promise<void> {
  const { version } = (await operator.get(`/v1/tenants/${id}`)).body as { version: number };
  const quotas = { agents: 1_000_000 };
  const { status } = await operator.send(
    'PATCH',
    `/v1/tenants/${id}`,
    { quotas },
    { 'If-Match': `"${version}"` },
  );
  if (status !== 200) throw new Error(`The quota could not be set: ${status}.`);
}

interface Bare {
  readonly baseUrl: string;
  readonly pid: number;
  stop(): void;
}

async function startBare(url: string, schema: string): Promise<Bare> {
  const server = fork(new URL('./bare-server.ts', import.meta.url), [url, schema]);
  const [port] = (await once(server, 'message')) as [number];
  return { baseUrl: `http://127.0.0.1:${port}`, pid: server.pid ?? 0, stop: () => void server.kill() };
}

/** The two sides of one comparison, which differ in nothing but the server. A read must answer the same each time. */
async function pair(
  load: HttpLoad,
  app: Application,
  bare: Bare,
  subject: Subject,
  paths: { ours: string; bare: string },
  common: Partial<LoadOrder> & { connections: number; status: number },
): Promise<{ baseline: Side; ours: Side }> {
  const side = async (url: string, pid: number, own: Record<string, string>): Promise<Side> => {
    const method = common.method ?? 'GET';
    const headers = { ...own, ...(method === 'POST' && { 'Content-Type': 'application/json' }) };
    const answer = method === 'GET' ? await (await fetch(url, { headers })).text() : undefined;
    return (seconds) => load.run({ ...common, url, method, headers, seconds, answer }, pid);
  };
  return {
    baseline: await side(`${bare.baseUrl}${paths.bare}`, bare.pid, {}),
    ours: await side(`${subject.baseUrl}${paths.ours}`, app.pid, subject.headers),
  };
}

/**
 * An answer without its event would make the comparison a lie. There may be a few more events than answers: those of
 * requests that were being served when a round ended.
 */
async function everyAnswerHasItsEvent(
  database: EmbeddedDatabase,
  load: HttpLoad,
  { baseUrl, headers, tenant, agentId }: Subject,
): Promise<Record<string, { answers: number; events: number }>> {
  const verified = await fetch(`${baseUrl}/v1/audit/verify`, { headers });
  const { valid, checked } = (await verified.json()) as { valid: boolean; checked: number };
  if (!valid) throw new Error('The audit log does not verify.');
  const answers = {
    'agent.read': load.answered.get(`${baseUrl}/v1/agents/${agentId}`) ?? 0,
    'agent.created': load.answered.get(`${baseUrl}/v1/agents`) ?? 0,
  };
  return database.asSuperuser(async (client) => {
    const counted: Record<string, { answers: number; events: number }> = {};
    for (const [action, answered] of Object.entries(answers)) {
      const found = await client.query<{ count: number }>(
        `SELECT count(*)::int FROM audit.events WHERE tenant = $1 AND action = $2 AND outcome = 'success'`,
        [tenant, action],
      );
      const events = found.rows[0]?.count ?? 0;
      if (events < answered) throw new Error(`${answered} answers, but ${events} events ${action}.`);
      counted[action] = { answers: answered, events };
    }
    const rows = await client.query<{ count: number }>(`SELECT count(*)::int FROM "${tenant}".agents`);
    if (rows.rows[0]?.count !== counted['agent.created']?.events)
      throw new Error(
        `${rows.rows[0]?.count} agents, but ${counted['agent.created']?.events} events of them.`,
      );
    return { ...counted, 'all verified': { answers: checked, events: checked } };
  });
}

async function report(
  { say }: BenchOptions,
  database: EmbeddedDatabase,
  comparisons: Record<string, Comparison>,
  counted: Record<string, { answers: number; events: number }>,
): Promise<BenchResult> {
  const version = await database.asSuperuser((client) =>
    client.query<{ server_version: string }>('SHOW server_version'),
  );
  for (const line of table(comparisons)) say(line);
  say('');
  for (const [action, { answers, events }] of Object.entries(counted)) {
    say(`${action}: ${answers} answers, ${events} durable events`);
  }
  const entries = Object.entries(comparisons);
  return {
    ratios: Object.fromEntries(entries.map(([name, { ratio }]) => [name, ratio])),
    absolute: Object.fromEntries(
      entries.map(([name, { baseline, ours }]) => [
        name,
        { connections: name.endsWith('32_connections') ? FEW_CONNECTIONS : CONNECTIONS, baseline, ours },
      ]),
    ),
    ...(version.rows[0] && { postgres: version.rows[0].server_version }),
  };
}
