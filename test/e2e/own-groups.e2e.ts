import { beforeAll, describe, expect, it } from 'vitest';
import { grant, makeRole, personOf, type Signed } from '../support/access.js';
import { must, refusal, type Client } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { sharedApplication } from '../support/shared-application.js';
import { steppedUp } from '../support/single-sign-on.js';
import { createPerson, createTenant, uniqueName, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const TO_SELF = { status: 403, code: 'GRANT_TO_SELF' };
const EXCEEDS = { status: 403, code: 'GRANT_EXCEEDS_OWN' };
const LEAVES = { status: 403, code: 'LEAVES_POLICY' };
let acme: TestTenant;
let other: TestTenant;
let owner: Client;

beforeAll(async () => {
  [acme, other] = [await createTenant(app), await createTenant(app)];
  owner = await steppedUp(app, acme);
});

async function groupOf(tenant: TestTenant, members: object = {}): Promise<string> {
  const name = { displayName: uniqueName('g') };
  const { id } = await must(tenant.api.post<{ id: string }>('/v1/groups', name), 201);
  await must(tenant.api.patch(`/v1/groups/${id}/members`, members), 200);
  return id;
}

/** A Member who looks after groups, and may do nothing else. */
async function keeperOf(tenant: TestTenant): Promise<Signed> {
  const keeper = await personOf(app, tenant, 'Member');
  const role = await makeRole(tenant.api, ['group:manage']);
  await grant(tenant.api, '', keeper.person.id, { roleId: role.id });
  const path = `/v1/groups/${await groupOf(tenant)}/members`;
  await eventually(async () => expect((await keeper.api.patch(path, {})).status).toBe(200), 1_000);
  return keeper;
}

const change = (api: Client, group: string, members: object) =>
  api.patch(`/v1/groups/${group}/members`, members);
const grantTo = (api: Client, id: string) =>
  api.post('/v1/grants', { principal: { type: 'group', id }, role: 'Viewer' });

describe('nobody grants to themselves by a group', () => {
  it('that they are in, directly or through another', async () => {
    const { api, person } = await personOf(app, acme, 'Admin');
    const inner = await groupOf(acme, { addPeople: [person.id] });
    const outer = await groupOf(acme, { addGroups: [inner] });
    for (const group of [inner, outer]) expect(await refusal(grantTo(api, group))).toEqual(TO_SELF);
    expect((await grantTo(api, await groupOf(acme))).status).toBe(201);
    // Of what others have granted it is the same in whichever order.
    const strong = await groupOf(acme);
    await must(grantTo(acme.api, strong), 201);
    for (const group of [inner, outer])
      expect(await refusal(change(api, strong, { addGroups: [group] }))).toEqual(TO_SELF);
  });

  it('in which a grant and the way in come at the same moment', async () => {
    const { api, person } = await personOf(app, acme, 'Admin');
    for (let round = 0; round < 5; round += 1) {
      const group = await groupOf(acme);
      const asked = [grantTo(api, group), change(api, group, { addPeople: [person.id] })];
      const statuses = (await Promise.all(asked)).map(({ status }) => status);
      expect(statuses).toContain(403);
    }
  });

  it('that a policy in force looks at', async () => {
    const [{ api, person }, stranger] = [await keeperOf(acme), await keeperOf(other)];
    const [inner, named] = [await groupOf(acme), await groupOf(acme)];
    await must(change(acme.api, named, { addGroups: [inner] }), 200);
    const freed = await groupOf(acme);
    await inForce(
      `@id("auditors") permit (principal in Group::"${named}", action == Action::"audit:read", resource);
       @id("freed") forbid (principal, action == Action::"agent:delete", resource)
       unless { principal in Group::"${freed}" };`,
    );
    const holdsMe = await groupOf(acme, { addPeople: [person.id] });
    for (const group of [named, inner, freed]) {
      expect(await refusal(change(api, group, { addPeople: [person.id] }))).toEqual(TO_SELF);
      expect(await refusal(change(api, group, { addGroups: [holdsMe] }))).toEqual(TO_SELF);
    }
    const somebody = await createPerson(acme.api, 'Member');
    for (const group of [named, inner])
      expect(await refusal(change(api, group, { addPeople: [somebody.id] }))).toEqual(EXCEEDS);
    expect((await change(api, freed, { addPeople: [somebody.id] })).status).toBe(200);
    // Policies are of their own organisation.
    const theirs = await groupOf(other);
    expect((await change(stranger.api, theirs, { addPeople: [stranger.person.id] })).status).toBe(200);
  });
});

it('nobody takes themselves out of a group by which a policy forbids, and others do', async () => {
  const { api, person } = await keeperOf(acme);
  const inner = await groupOf(acme, { addPeople: [person.id] });
  const named = await groupOf(acme, { addGroups: [inner] });
  await inForce(
    `@id("bound") forbid (principal in Group::"${named}", action == Action::"agent:delete", resource);`,
  );
  expect(await refusal(change(api, inner, { removePeople: [person.id] }))).toEqual(LEAVES);
  expect(await refusal(change(api, named, { removeGroups: [inner] }))).toEqual(LEAVES);
  for (const group of [inner, named])
    expect(await refusal(api.delete(`/v1/groups/${group}`))).toEqual(LEAVES);
  const second = await keeperOf(acme);
  expect((await change(second.api, inner, { removePeople: [person.id] })).status).toBe(200);
});

/** Puts a text in force in the first organisation. */
async function inForce(text: string): Promise<void> {
  const { version } = await must(owner.post<{ version: number }>('/v1/access/policies', { text }), 201);
  await must(owner.post(`/v1/access/policies/${version}/activate`), 200);
}
