/**
 * What a decision costs: one that is in memory, and one that Cedar makes, of people with no grants, with five and with
 * fifty; beside Cedar called with the same policies as texts, which is the plain way. Then which part of the hottest read
 * of the built application a decision is.
 */
import { createRequire } from 'node:module';
import type * as Cedar from '@cedar-policy/cedar-wasm/nodejs';
import type { Question } from '../src/access/authorizer.ts';
import type { Actor } from '../src/platform/http/request-context.ts';
import { Caller } from '../test/tour/api.ts';
import { startApplication } from '../test/tour/application.ts';
import { HttpLoad } from './http-load.ts';
import { built } from './log-database.ts';
import { median, type BenchOptions, type BenchResult } from './measure.ts';
import { UNREACHED_LIMITS } from './our-side.ts';

const { Authorizer } = await built<typeof import('../src/access/authorizer.js')>('access/authorizer.js');
const { DEFAULT_POLICIES } = await built<typeof import('../src/access/default-policies.js')>(
  'access/default-policies.js',
);
const { contextOf, entitiesOf, principalOf, resourceOf, treeOf } =
  await built<typeof import('../src/access/entities.js')>('access/entities.js');
const { agentResource } = await built<typeof import('../src/access/resource.js')>('access/resource.js');
const { tenantId } = await built<typeof import('../src/platform/database/index.js')>(
  'platform/database/index.js',
);
const cedar = createRequire(import.meta.url)('@cedar-policy/cedar-wasm/nodejs') as typeof Cedar;

const TENANT = tenantId('t_000000000000000a');
const WARM_UP = 2_000;
const DECISIONS = 20_000;
const ROUNDS = 5;
const CONNECTIONS = 64;
interface Times {
  readonly p50: number;
  readonly p99: number;
  readonly mean: number;
}

export default async function access({ say }: BenchOptions): Promise<BenchResult> {
  const authorizer = new Authorizer();
  const cached = timed(() => decideRemembered(authorizer));
  const uncached: Record<string, Times> = {};
  const ratios: Record<string, number> = {};
  for (const grants of [0, 5, 50]) {
    const rounds = Array.from({ length: ROUNDS }, () => ({
      ours: timed(() => decideAnew(authorizer, grants), DECISIONS / 10),
      plain: timed(() => decidePlainly(grants), DECISIONS / 100),
    }));
    uncached[`grants_${grants}`] = middle(rounds.map(({ ours }) => ours));
    ratios[`plain_to_ours_grants_${grants}`] = rounded(
      median(rounds.map(({ ours, plain }) => plain.p50 / ours.p50)),
    );
  }
  const request = await costOfRequest();
  ratios['share_of_request'] = rounded(cached.mean / request, 4);
  const none = uncached['grants_0'];
  say('                          p50 \u00b5s     p99 \u00b5s');
  for (const [name, { p50, p99 }] of Object.entries({ cached, ...uncached }))
    say(`${name.padEnd(20)}${p50.toFixed(1).padStart(12)}${p99.toFixed(1).padStart(12)}`);
  say(`a decision in memory is ${(100 * cached.mean) / request} % of a read of ${request} \u00b5s`);
  return {
    ratios,
    absolute: {
      cached_p99_us: rounded(cached.p99),
      cached_p50_us: rounded(cached.p50),
      uncached_p50_us: rounded(none?.p50 ?? Number.NaN),
      uncached,
      request_cpu_us: request,
    },
  };
}

const AGENT = agentResource(
  TENANT,
  { id: 'p1', environment: 'production', tags: ['eu'] },
  { id: 'a1', environment: 'production', tags: ['eu'] },
);
const CIRCUMSTANCES = { ip: '192.0.2.1', at: Date.UTC(2026, 10, 29) };

function holder(grants: number): Actor {
  return {
    type: 'api_key',
    id: 'k',
    userId: 'u',
    tenant: TENANT,
    roles: ['Developer'],
    scopes: ['*:admin'],
    access: {
      policies: 0,
      groups: [],
      grants: Array.from({ length: grants }, (_, at) => ({
        id: `g${at}`,
        role: 'Developer',
        on: { kind: 'project', id: `p${at}` } as const,
      })),
    },
  };
}

const question = (actor: Actor): Question => ({
  actor,
  permission: 'agent:read',
  resource: AGENT,
  circumstances: CIRCUMSTANCES,
});

const KNOWN = holder(5);
function decideRemembered(authorizer: InstanceType<typeof Authorizer>): void {
  mustAllow(authorizer.decide(question(KNOWN)).allowed);
}

/** Another object of the same person: nothing of what was decided counts, as after a change. */
const HOLDERS = new Map([0, 5, 50].map((grants) => [grants, holder(grants)]));
function decideAnew(authorizer: InstanceType<typeof Authorizer>, grants: number): void {
  mustAllow(authorizer.decide(question({ ...(HOLDERS.get(grants) ?? KNOWN) })).allowed);
}

/** The same question with everything told to Cedar each time. */
function decidePlainly(grants: number): void {
  const actor = HOLDERS.get(grants) ?? KNOWN;
  const principal = principalOf(actor);
  if (!principal) throw new Error('It acts.');
  const granted = (actor.access?.grants ?? []).map(({ id, on }): [string, string] => [
    id,
    `permit (principal in User::"u", action in [Action::"viewer", Action::"developer"], resource in Project::"${on.id}");`,
  ]);
  const answer = cedar.isAuthorized({
    principal,
    action: { type: 'Action', id: 'agent:read' },
    resource: resourceOf(AGENT),
    context: contextOf('agent:read', CIRCUMSTANCES),
    policies: { staticPolicies: { ...DEFAULT_POLICIES, ...Object.fromEntries(granted) } },
    entities: [...entitiesOf(actor, principal, 'agent:read'), ...treeOf(AGENT)],
  });
  mustAllow(answer.type === 'success' && answer.response.decision === 'allow');
}

function mustAllow(allowed: boolean): void {
  if (!allowed) throw new Error('It was denied what it may do.');
}

/** Microseconds, one by one. */
function timed(decide: () => void, count = DECISIONS): Times {
  for (let at = 0; at < Math.min(WARM_UP, count); at += 1) decide();
  const times = new Float64Array(count);
  for (let at = 0; at < count; at += 1) {
    const begun = performance.now();
    decide();
    times[at] = (performance.now() - begun) * 1_000;
  }
  times.sort();
  const percentile = (part: number): number => times[Math.floor((count - 1) * part)] ?? Number.NaN;
  return {
    p50: percentile(0.5),
    p99: percentile(0.99),
    mean: times.reduce((sum, one) => sum + one, 0) / count,
  };
}

function middle(rounds: readonly Times[]): Times {
  const of = (name: keyof Times): number => rounded(median(rounds.map((round) => round[name])));
  return { p50: of('p50'), p99: of('p99'), mean: of('mean') };
}

/** Microseconds of processor time that the application takes for the hottest read. */
async function costOfRequest(): Promise<number> {
  const app = await startApplication({ env: UNREACHED_LIMITS });
  const load = new HttpLoad();
  try {
    const { apiKey } = app.first;
    const baseUrl = app.first.baseUrl.replace('localhost', '127.0.0.1');
    const owner = new Caller(baseUrl, apiKey);
    const project = (await owner.post('/v1/projects', { name: 'bench' })).body as { id: string };
    const definition = { instructions: 'Answer.', model: { provider: 'demo', name: 'echo' } };
    const creation = { projectId: project.id, name: 'bench', definition };
    const { id } = (await owner.post('/v1/agents', creation)).body as { id: string };
    const order = {
      url: `${baseUrl}/v1/agents/${id}`,
      method: 'GET',
      headers: { Authorization: `Bearer ${apiKey}` },
      connections: CONNECTIONS,
      status: 200,
    } as const;
    await load.run({ ...order, seconds: 3 }, app.pid);
    const { cpuMicros } = await load.run({ ...order, seconds: 5 }, app.pid);
    if (cpuMicros === undefined) throw new Error('This system does not tell what a process takes.');
    return rounded(cpuMicros);
  } finally {
    load.close();
    await app.remove();
  }
}

function rounded(value: number, digits = 1): number {
  return Number(value.toFixed(digits));
}
