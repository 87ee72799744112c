import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startApplication, type Application } from '../support/application.js';
import { client, must } from '../support/client.js';
import { createDirectory, group, mustScim, person, type Resource, type ScimClient } from '../support/scim.js';
import { createTenant } from '../support/tenants.js';

const PEOPLE = Number(process.env['WAXELL_GROUP_MEMBERS'] ?? 500);
const WRITERS = 50;
const TURNS = 4;
const BULK = 'urn:ietf:params:scim:api:messages:2.0:BulkRequest';

let app: Application;
let scim: ScimClient;
let other: ScimClient;
let people: string[];
let team: Resource;

beforeAll(async () => {
  app = await startApplication();
  const [acme, neighbour] = [await createTenant(app), await createTenant(app)];
  scim = (await createDirectory(app, acme)).scim;
  other = (await createDirectory(app, neighbour)).scim;
  await allowPeople(acme.id);
  people = await addPeople(PEOPLE);
  team = await mustScim(scim.post('/Groups', group({ members: people.map((value) => ({ value })) })), 201);
}, 600_000);
afterAll(() => app.dispose());

/** More than an organisation has by default. */
async function allowPeople(tenant: string): Promise<void> {
  const operator = client(app.baseUrl, app.firstRun.operatorKey);
  const path = `/v1/tenants/${tenant}`;
  const { version } = await must(operator.get<{ version: number }>(path), 200);
  const quotas = { quotas: { users: 2 * PEOPLE } };
  await must(operator.patch(path, quotas, { 'if-match': `"${version}"` }), 200);
}

async function addPeople(count: number): Promise<string[]> {
  const ids: string[] = [];
  while (ids.length < count) {
    const Operations = Array.from({ length: Math.min(250, count - ids.length) }, (_one, at) => ({
      method: 'POST',
      path: '/Users',
      bulkId: String(at),
      data: person(),
    }));
    type Added = { readonly Operations: readonly { readonly location: string }[] };
    const added = await mustScim(scim.post<Added>('/Bulk', { schemas: [BULK], Operations }), 200);
    ids.push(...added.Operations.map(({ location }) => location.slice(location.lastIndexOf('/') + 1)));
  }
  return ids.toSorted();
}

/** Asks until there is an answer: what had none may or may not have happened, and is asked for again. */
async function insist(operation: object): Promise<void> {
  for (const until = Date.now() + 60_000; ;) {
    const status = await scim.patch(`/Groups/${team.id}`, operation).then(
      (reply) => reply.status,
      () => 0,
    );
    if (status === 204) return;
    if ((status !== 0 && status !== 503) || Date.now() > until) throw new Error(`It was answered ${status}.`);
    await sleep(50);
  }
}

it('a group is what fifty writers have made of it, though their server was killed among them', async () => {
  const model = new Set(people);
  const writers = Array.from({ length: WRITERS }, async (_writer, number) => {
    const own = people.filter((_person, at) => at % WRITERS === number);
    for (let turn = 0; turn < TURNS; turn += 1) {
      const chosen = own.filter(() => randomInt(2) === 0);
      const adds = randomInt(2) === 0;
      for (const one of chosen)
        if (adds) model.add(one);
        else model.delete(one);
      const value = chosen.map((one) => ({ value: one }));
      if (chosen.length > 0) await insist({ op: adds ? 'add' : 'Remove', path: 'members', value });
    }
  });
  const done = Promise.all(writers);
  await sleep(300);
  await app.kill9();
  await app.start();
  await done;
  const after = await mustScim(scim.get(`/Groups/${team.id}`), 200);
  const members = (after['members'] as readonly { value: string }[]).map(({ value }) => value);
  expect(members.toSorted()).toEqual([...model].toSorted());
  // Nobody else has lost or gained anything.
  expect(await other.find('Groups', `members eq "${people[0] ?? ''}"`)).toEqual([]);
}, 300_000);

it('whoever puts the whole group among others who do leaves exactly what one of them has put', async () => {
  const sets = Array.from({ length: 10 }, () => people.filter(() => randomInt(2) === 0));
  const { displayName } = team;
  const replies = await Promise.all(
    sets.map((set) =>
      scim.put(`/Groups/${team.id}`, group({ displayName, members: set.map((value) => ({ value })) })),
    ),
  );
  expect(replies.map(({ status }) => status)).toEqual(sets.map(() => 200));
  const after = await mustScim(scim.get(`/Groups/${team.id}`), 200);
  const members = ((after['members'] ?? []) as readonly { value: string }[])
    .map(({ value }) => value)
    .toSorted();
  expect(sets).toContainEqual(members);
}, 120_000);
