import { beforeAll, describe, expect, it } from 'vitest';
import type { GroupDto, GroupMemberDto } from '../../src/groups/groups.dto.js';
import { publishedAgent, runIn, startRun } from '../support/agents.js';
import { client, must, refusal } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { sharedApplication } from '../support/shared-application.js';
import { steppedUp } from '../support/single-sign-on.js';
import {
  createPerson,
  createTenant,
  signIn,
  uniqueName,
  type Person,
  type TestTenant,
} from '../support/tenants.js';

const app = sharedApplication();
let acme: TestTenant;
let other: TestTenant;
let people: Person[];

beforeAll(async () => {
  [acme, other] = await Promise.all([createTenant(app), createTenant(app)]);
  people = await Promise.all(['Viewer', 'Viewer', 'Developer'].map((role) => createPerson(acme.api, role)));
});

const create = (tenant = acme): Promise<GroupDto> =>
  must(tenant.api.post<GroupDto>('/v1/groups', { displayName: uniqueName('group') }), 201);
const membersOf = (id: string): Promise<GroupMemberDto[]> =>
  acme.api.all<GroupMemberDto>(`/v1/groups/${id}/members`, 2);

describe('an administrator', () => {
  it('makes, renames and deletes groups, with no identity provider at all', async () => {
    const made = await create();
    expect(made).toMatchObject({ people: 0, version: 1 });
    const displayName = uniqueName('renamed');
    const path = `/v1/groups/${made.id}`;
    const renamed = await must(acme.api.patch<GroupDto>(path, { displayName }, { 'if-match': '"1"' }), 200);
    expect(renamed).toMatchObject({ id: made.id, displayName, version: 2 });
    expect(await refusal(acme.api.patch(path, { displayName }, { 'if-match': '"1"' }))).toEqual({
      status: 412,
      code: 'VERSION_MISMATCH',
    });
    const listed = await acme.api.all<GroupDto>('/v1/groups', 1);
    expect(listed.find(({ id }) => id === made.id)).toEqual(renamed);
    expect(await refusal(acme.api.delete(path, { 'if-match': '"1"' }))).toMatchObject({ status: 412 });
    expect((await acme.api.delete(path)).status).toBe(204);
    expect(await refusal(acme.api.get(path))).toEqual({ status: 404, code: 'NOT_FOUND' });
  });

  it('puts people in and takes them out, and sees them page by page', async () => {
    const { id } = await create();
    const ids = people.map((person) => person.id);
    const path = `/v1/groups/${id}/members`;
    const full = await must(acme.api.patch<GroupDto>(path, { addPeople: ids }), 200);
    expect(full).toMatchObject({ people: 3, version: 2 });
    expect((await membersOf(id)).map(({ userId }) => userId)).toEqual(ids.toSorted());
    const [first = '', second = ''] = ids;
    const fewer = await must(acme.api.patch<GroupDto>(path, { removePeople: [first, second] }), 200);
    expect(fewer.people).toBe(1);
    expect(await refusal(acme.api.patch(path, { addPeople: [first] }, { 'if-match': '"2"' }))).toEqual({
      status: 412,
      code: 'VERSION_MISMATCH',
    });
  });

  it('puts groups into groups, and never one into itself', async () => {
    const [outer, inner] = [await create(), await create()];
    const into = (where: GroupDto, ...addGroups: string[]) =>
      acme.api.patch<GroupDto>(`/v1/groups/${where.id}/members`, { addGroups });
    await must(into(outer, inner.id), 200);
    const { items } = await must(acme.api.get<{ items: string[] }>(`/v1/groups/${outer.id}/subgroups`), 200);
    expect(items).toEqual([inner.id]);
    const cycle = { status: 409, code: 'GROUP_CYCLE' };
    expect(await refusal(into(inner, outer.id) as never)).toEqual(cycle);
    expect(await refusal(into(inner, inner.id) as never)).toEqual(cycle);
  });

  it('finds every change of who is in a group in the log, with who it was', async () => {
    const { id } = await create();
    const [person] = people;
    const { headers } = await acme.api.patch(`/v1/groups/${id}/members`, { addPeople: [person?.id] });
    const events = await acme.api.all<Record<string, unknown>>(
      `/v1/audit/events?requestId=${headers.get('x-request-id')}`,
    );
    expect(events).toMatchObject([
      {
        action: 'group.members_changed',
        outcome: 'success',
        resource: { type: 'group', id },
        changes: { added: { count: 1, ids: [person?.id] } },
      },
    ]);
  });
});

it('a name is one group of an organisation, whatever its case', async () => {
  const displayName = uniqueName('Taken');
  await must(acme.api.post<GroupDto>('/v1/groups', { displayName }), 201);
  const taken = { status: 409, code: 'GROUP_NAME_TAKEN' };
  const again = { displayName: displayName.toUpperCase() };
  expect(await refusal(acme.api.post('/v1/groups', again))).toEqual(taken);
  expect(await refusal(acme.api.patch(`/v1/groups/${(await create()).id}`, again))).toEqual(taken);
  await must(other.api.post<GroupDto>('/v1/groups', again), 201);
});

it('nobody and nothing of another organisation is put into a group', async () => {
  const [{ id }, foreign] = [await create(), await create(other)];
  const path = `/v1/groups/${id}/members`;
  const stranger = await createPerson(other.api, 'Viewer');
  const invalid = { status: 400, code: 'INVALID_REQUEST' };
  expect(await refusal(acme.api.patch(path, { addPeople: [stranger.id] }))).toEqual(invalid);
  expect(await refusal(acme.api.patch(path, { addGroups: [foreign.id] }))).toEqual(invalid);
  // All or nothing.
  const both = { addPeople: [people[0]?.id, stranger.id] };
  expect(await refusal(acme.api.patch(path, both))).toEqual(invalid);
  expect(await membersOf(id)).toEqual([]);
});

it('whoever is put into a group and was seen before is looked at anew', async () => {
  const { id } = await create();
  const person = await createPerson(acme.api, 'Viewer');
  const session = client(app.baseUrl, (await signIn(app, acme.slug, person)).accessToken);
  expect((await session.get('/v1/me')).status).toBe(200);
  await must(acme.api.patch(`/v1/groups/${id}/members`, { addPeople: [person.id] }), 200);
  // Being in a group ends no session.
  expect((await session.get('/v1/me')).status).toBe(200);
});

it('a person who is erased is in no group any more', async () => {
  const { id } = await create();
  const person = await createPerson(acme.api, 'Viewer');
  await must(acme.api.patch(`/v1/groups/${id}/members`, { addPeople: [person.id] }), 200);
  const owner = await steppedUp(app, acme);
  await must(owner.post(`/v1/users/${person.id}/erasure`), 200);
  expect(await membersOf(id)).toEqual([]);
  expect(await must(acme.api.get<GroupDto>(`/v1/groups/${id}`), 200)).toMatchObject({
    people: 0,
    version: 3,
  });
});

/** An open stream of somebody: how many events it has had, and when it has ended. */
async function watching(tenant: TestTenant, person: Person) {
  const agent = await publishedAgent(tenant.api, { model: { name: 'demo-slow' } });
  const run = await startRun(tenant.api, agent.id);
  await runIn(tenant.api, run.id, new Set(['RUNNING']));
  const api = client(app.baseUrl, (await signIn(app, tenant.slug, person)).accessToken);
  const seen = { events: 0 };
  const ended = (async () => {
    for await (const _event of api.events(`/v1/runs/${run.id}/events`)) seen.events += 1;
    return performance.now();
  })();
  await eventually(async () => expect(seen.events).toBeGreaterThan(0), 10_000);
  return { seen, ended, stop: () => tenant.api.post(`/v1/runs/${run.id}/cancel`) };
}

describe('an open stream', () => {
  it('goes on when its person comes into a group, and ends when they leave it', async () => {
    const person = await createPerson(acme.api, 'Developer');
    const [group, outer] = [await create(), await create()];
    const { seen, ended, stop } = await watching(acme, person);
    await must(acme.api.patch(`/v1/groups/${group.id}/members`, { addPeople: [person.id] }), 200);
    await must(acme.api.patch(`/v1/groups/${outer.id}/members`, { addGroups: [group.id] }), 200);
    const before = seen.events;
    await eventually(async () => expect(seen.events).toBeGreaterThan(before + 1), 10_000);
    await must(acme.api.patch(`/v1/groups/${group.id}/members`, { removePeople: [person.id] }), 200);
    const left = performance.now();
    expect((await ended) - left).toBeLessThan(1_000);
    await stop();
  });

  it('ends when its person comes into a group, where policies could forbid by it', async () => {
    const tenant = await createTenant(app);
    const person = await createPerson(tenant.api, 'Developer');
    const group = await create(tenant);
    const owner = await steppedUp(app, tenant);
    const text = `@id("kept") forbid (principal in Group::"${group.id}", action == Action::"run:read", resource);`;
    const { version } = await must(owner.post<{ version: number }>('/v1/access/policies', { text }), 201);
    await must(owner.post(`/v1/access/policies/${version}/activate`), 200);
    const { ended, stop } = await watching(tenant, person);
    await must(tenant.api.patch(`/v1/groups/${group.id}/members`, { addPeople: [person.id] }), 200);
    const came = performance.now();
    expect((await ended) - came).toBeLessThan(1_000);
    await stop();
  });
});
