import { beforeAll, expect, it } from 'vitest';
import type { AgentDto } from '../../src/agents/agents.dto.js';
import type { ExplanationDto } from '../../src/policies/explain.dto.js';
import { Draws } from '../support/access-worlds.js';
import { furnished, grant, idsIn, personOf, type Furnished } from '../support/access.js';
import { startRun } from '../support/agents.js';
import { must, type Client } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { sharedApplication } from '../support/shared-application.js';
import { steppedUp } from '../support/single-sign-on.js';
import { createTenant, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const SEED = Number(process.env['WAXELL_ACCESS_SEED'] ?? Math.floor(Math.random() * 1e9));
const ROUNDS = 6;
let acme: TestTenant;
let other: TestTenant;
let owner: Client;
let rooms: Furnished[];
let runs: string[];

beforeAll(async () => {
  acme = await createTenant(app);
  other = await createTenant(app);
  owner = await steppedUp(app, acme);
  await furnished(other.api, 2);
  rooms = [];
  for (let at = 0; at < 3; at += 1) rooms.push(await furnished(acme.api, 3));
  const [labelled, partly] = rooms;
  await must(label('projects', labelled?.project.id, 'production', ['eu', 'pii']), 200);
  await must(label('agents', partly?.agents[0]?.id, 'production', []), 200);
  await must(label('agents', partly?.agents[1]?.id, 'staging', ['pii']), 200);
  await must(label('agents', labelled?.agents[0]?.id, 'dev', ['pilot']), 200);
  runs = [];
  for (const { agents } of rooms)
    for (const { id } of agents.slice(0, 2)) {
      await must(acme.api.post<AgentDto>(`/v1/agents/${id}/publish`), 200);
      runs.push((await startRun(acme.api, id)).id);
    }
});

function label(kind: string, id: string | undefined, environment: string, tags: string[]) {
  return acme.api.put(`/v1/${kind}/${id}/labels`, { environment, tags });
}

/** Every way in which a policy may look at a resource. */
const CONDITIONS = [
  'resource has environment',
  'resource has environment && resource.environment == "production"',
  'resource has environment && resource.environment != "production"',
  'resource has environment && resource.environment like "*d*"',
  'resource has environment && ["dev", "staging"].contains(resource.environment)',
  'resource.tags.contains("pii")',
  'resource.tags.containsAny(["pilot", "eu"])',
  'resource.tags.containsAll(["pii", "eu"])',
  'resource.tags.isEmpty()',
  'resource is Agent',
  'if resource.tags.isEmpty() then resource is Project else resource is Agent',
];

function drawCondition(draws: Draws): string {
  const place = draws.one([
    `resource in Project::"${draws.one(rooms).project.id}"`,
    `resource == Agent::"${draws.one(draws.one(rooms).agents).id}"`,
    `resource in [Project::"${draws.one(rooms).project.id}", Project::"${draws.one(rooms).project.id}"]`,
    `resource is Agent in Project::"${draws.one(rooms).project.id}"`,
  ]);
  const one = draws.chance(40) ? place : draws.one(CONDITIONS);
  const other = draws.one(CONDITIONS);
  return draws.one([
    one,
    `!(${one})`,
    `(${one}) || !(${other})`,
    `(${one}) && (${other})`,
    `!((${one}) && (${other}))`,
  ]);
}

function drawPolicies(draws: Draws): string {
  const read = 'action in [Action::"project:read", Action::"agent:read", Action::"run:read"]';
  return Array.from({ length: 1 + draws.below(3) }, (_, at) => {
    const effect = draws.chance(60) ? 'forbid' : 'permit';
    return `@id("p-${at}") ${effect} (principal, ${read}, resource) when { ${drawCondition(draws)} };`;
  }).join('\n');
}

/** What of these is answered when it is asked for by its id. */
async function served(api: Client, path: string, ids: readonly string[]): Promise<string[]> {
  const statuses = await Promise.all(ids.map(async (id) => (await api.get(`/v1/${path}/${id}`)).status));
  return ids.filter((_id, at) => statuses[at] === 200).toSorted();
}

async function heard(api: Client, version: number | undefined): Promise<void> {
  const asked = { permission: 'profile:read' };
  await eventually(async () => {
    const told = await must(api.post<ExplanationDto>('/v1/access/explain', asked), 200);
    expect(told.version).toBe(version);
  }, 1_000);
}

it(`lists are exactly what is answered one by one, whatever the policies and grants (seed ${SEED})`, async () => {
  const draws = new Draws(SEED);
  const all = {
    projects: rooms.map(({ project }) => project.id),
    agents: rooms.flatMap(({ agents }) => agents.map(({ id }) => id)),
    runs,
  };
  const people = [await personOf(app, acme, 'Viewer'), await personOf(app, acme, 'Member')];
  for (const { person } of people) {
    await grant(acme.api, `projects/${draws.one(rooms).project.id}/`, person.id, { role: 'Viewer' });
    await grant(acme.api, `agents/${draws.one(draws.one(rooms).agents).id}/`, person.id, {
      role: 'Developer',
    });
  }
  let partly = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const text = drawPolicies(draws);
    // Whoever writes a permit has what it permits, which the policies of the last round may forbid.
    const { status: undone } = await owner.post('/v1/access/policies/rollback', { version: null });
    expect(undone).toBe(round === 0 ? 409 : 200);
    await heard(owner, undefined);
    const { version } = await must(owner.post<{ version: number }>('/v1/access/policies', { text }), 201);
    await must(owner.post(`/v1/access/policies/${version}/activate`), 200);
    for (const { api } of people) {
      await heard(api, version);
      for (const [path, ids] of Object.entries(all)) {
        const { status } = await api.get(`/v1/${path}`);
        const listed = status === 403 ? [] : await idsIn(api, `/v1/${path}`, 2);
        const items = await served(api, path, ids);
        expect({ path, text, listed }).toEqual({ path, text, listed: items });
        if (listed.length > 0 && listed.length < ids.length) partly += 1;
      }
    }
  }
  expect(partly).toBeGreaterThan(0);
});
