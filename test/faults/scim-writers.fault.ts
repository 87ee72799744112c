import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startApplication, type Application } from '../support/application.js';
import { client, must } from '../support/client.js';
import {
  createDirectory,
  group,
  mustScim,
  person,
  type Resource,
  type ScimClient,
  type ScimList,
} from '../support/scim.js';
import { createTenant } from '../support/tenants.js';

const PEOPLE = Number(process.env['WAXELL_GROUP_MEMBERS'] ?? 2_000);
const WRITERS = 50;
const TURNS = 4;
/** One of so many puts, the others patch. */
const PUTS_ONE_OF = 10;
const BULK = 'urn:ietf:params:scim:api:messages:2.0:BulkRequest';

let app: Application;
let scim: ScimClient;
let other: ScimClient;
let people: string[];
let team: Resource & { readonly displayName: string };

beforeAll(async () => {
  app = await startApplication();
  const [acme, neighbour] = [await createTenant(app), await createTenant(app)];
  scim = (await createDirectory(app, acme)).scim;
  other = (await createDirectory(app, neighbour)).scim;
  await allowPeople(acme.id);
  people = await addPeople(PEOPLE);
  const made = group({ members: of(people) });
  team = { ...(await mustScim(scim.post('/Groups', made), 201)), displayName: made.displayName };
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

/** Asks until there is an answer of one of these: what had none may or may not have happened, and is asked for again. */
async function insist(
  send: () => Promise<{ readonly status: number }>,
  ...wanted: number[]
): Promise<number> {
  for (const until = Date.now() + 120_000; ;) {
    const status = await send().then(
      (reply) => reply.status,
      () => 0,
    );
    if (wanted.includes(status)) return status;
    if ((status !== 0 && status !== 503) || Date.now() > until) throw new Error(`It was answered ${status}.`);
    await sleep(50);
  }
}

const insistOn = (operation: object): Promise<unknown> =>
  insist(() => scim.patch(`/Groups/${team.id}`, operation), 204);
const of = (ids: Iterable<string>): { value: string }[] => [...ids].map((value) => ({ value }));
const idsOf = ({ members }: Resource): string[] =>
  ((members ?? []) as readonly { value: string }[]).map(({ value }) => value);

async function current(): Promise<Resource> {
  let read: Resource | undefined;
  await insist(async () => {
    const reply = await scim.get(`/Groups/${team.id}`);
    read = reply.body;
    return reply;
  }, 200);
  if (!read) throw new Error('What was answered has a body.');
  return read;
}

/** What it has read, with other people of its own, as long as nobody else has written meanwhile. */
async function putOwn(own: ReadonlySet<string>, chosen: ReadonlySet<string>): Promise<void> {
  for (const until = Date.now() + 120_000; Date.now() < until;) {
    const read = await current();
    const members = [...idsOf(read).filter((id) => !own.has(id)), ...chosen];
    const body = group({ displayName: team.displayName, members: of(members) });
    const send = () => scim.send('PUT', `/Groups/${team.id}`, body, { 'if-match': read.meta.version });
    if ((await insist(send, 200, 412)) === 200) return;
  }
  throw new Error('Others have written all the time.');
}

async function killedMeanwhile(work: Promise<unknown>, times: number): Promise<void> {
  // Not unhandled while the server is started anew.
  work.catch(() => undefined);
  for (let kill = 0; kill < times; kill += 1) {
    await sleep(300);
    await app.kill9();
    await app.start();
  }
  await work;
}

it('a group is what fifty writers have made of it by PATCH and PUT, though their server was killed among them', async () => {
  const model = new Set(people);
  const writers = Array.from({ length: WRITERS }, async (_writer, number) => {
    const own = people.filter((_person, at) => at % WRITERS === number);
    for (let turn = 0; turn < TURNS; turn += 1) {
      const chosen = new Set(own.filter(() => randomInt(2) === 0));
      const puts = number % PUTS_ONE_OF === 0;
      const adds = !puts && randomInt(2) === 0;
      for (const one of own) {
        if (puts ? chosen.has(one) : adds && chosen.has(one)) model.add(one);
        else if (puts || chosen.has(one)) model.delete(one);
      }
      if (puts) await putOwn(new Set(own), chosen);
      else if (chosen.size > 0)
        await insistOn({ op: adds ? 'add' : 'Remove', path: 'members', value: of(chosen) });
    }
  });
  await killedMeanwhile(Promise.all(writers), 2);
  expect(idsOf(await current()).toSorted()).toEqual([...model].toSorted());
  // Nobody else has lost or gained anything.
  expect(await other.find('Groups', `members eq "${people[0] ?? ''}"`)).toEqual([]);
}, 400_000);

it('whoever puts the whole group among others who do leaves exactly what one of them has put, kills or not', async () => {
  const sets = Array.from({ length: WRITERS }, () => people.filter(() => randomInt(2) === 0));
  const puts = sets.map((set) => {
    const body = group({ displayName: team.displayName, members: of(set) });
    return insist(() => scim.put(`/Groups/${team.id}`, body), 200);
  });
  await killedMeanwhile(Promise.all(puts), 1);
  expect(sets).toContainEqual(idsOf(await current()).toSorted());
}, 300_000);

it('a group is put as it is answered, and everybody is looked at in bounds', async () => {
  await insistOn({ op: 'replace', path: 'members', value: of(people) });
  const read = await current();
  expect(idsOf(await mustScim(scim.put(`/Groups/${team.id}`, read), 200)).toSorted()).toEqual(people);
  const timed = async (query: string): Promise<ScimList> => {
    const begin = performance.now();
    const found = await mustScim(scim.get<ScimList>(`/Users?count=10&${query}`), 200);
    process.stdout.write(`${PEOPLE} people, ${query}: ${Math.round(performance.now() - begin)} ms\n`);
    return found;
  };
  for (const filter of [
    'userName sw "person"',
    'userName co "@people"',
    'userName ew ".example"',
    'userName ne "x"',
    'userName pr',
  ])
    expect((await timed(`filter=${encodeURIComponent(filter)}`)).totalResults).toBe(PEOPLE);
  const names = (await timed('sortBy=userName')).Resources.map(({ userName }) => String(userName));
  expect(names).toEqual(names.toSorted());
  expect(names).toHaveLength(10);
}, 120_000);
