import { beforeAll, expect, it } from 'vitest';
import type { AlertDto } from '../../src/alerts/alerts.dto.js';
import type { GroupDto } from '../../src/groups/groups.dto.js';
import { makeRole } from '../support/access.js';
import { must, type Client } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { createDirectory, group, mustScim, ownerOf, person } from '../support/scim.js';
import { sharedApplication } from '../support/shared-application.js';
import { createPerson, createTenant, uniqueName, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const [LITTLE, MUCH] = [['agent:read'], ['agent:read', 'user:update']];
let acme: TestTenant;
let other: TestTenant;

beforeAll(async () => {
  [acme, other] = await Promise.all([createTenant(app), createTenant(app)]);
});

const found = async ({ api }: TestTenant): Promise<string[]> =>
  (await api.all<AlertDto>('/v1/alerts'))
    .filter(({ rule }) => rule === 'privileges.granted')
    .map(({ key }) => key);

/** Somebody of a directory in a group of it, another in a group by hand, a grant, and a role that changes. */
async function given(
  tenant: TestTenant,
  role: 'Admin' | 'Developer',
  permissions: readonly string[],
): Promise<string[]> {
  const owner = await ownerOf(app, tenant);
  const granted = (principal: object, what: object): Promise<unknown> =>
    must(owner.post('/v1/grants', { principal, ...what }), 201);
  const { id } = await createPerson(tenant.api, 'Member');
  const own = await makeRole(owner, permissions);
  await granted({ type: 'user', id }, { roleId: own.id });
  const changed = await makeRole(owner, LITTLE);
  await must(owner.patch(`/v1/roles/${changed.id}`, { permissions }), 200);
  const byHand = await groupWith(owner, tenant, role);
  const { scim } = await createDirectory(app, tenant, { defaultRole: role });
  const provided = await mustScim(scim.post('/Users', person()), 201);
  const ofDirectory = await mustScim(scim.post('/Groups', group()), 201);
  await granted({ type: 'group', id: ofDirectory.id }, { role });
  const add = { op: 'add', path: 'members', value: [{ value: provided.id }] };
  await mustScim(scim.patch(`/Groups/${ofDirectory.id}`, add), 204);
  return [id, changed.id, byHand, provided.id, ofDirectory.id];
}

/** Somebody put into a group that is in a group which holds the role: what is granted to the outer one is theirs. */
async function groupWith(owner: Client, tenant: TestTenant, role: string): Promise<string> {
  const made = (): Promise<GroupDto> =>
    must(owner.post<GroupDto>('/v1/groups', { displayName: uniqueName('g') }), 201);
  const [outer, inner] = [await made(), await made()];
  await must(owner.patch(`/v1/groups/${outer.id}/members`, { addGroups: [inner.id] }), 200);
  await must(owner.post('/v1/grants', { principal: { type: 'group', id: outer.id }, role }), 201);
  const { id } = await createPerson(tenant.api, 'Member');
  await must(owner.patch(`/v1/groups/${inner.id}/members`, { addPeople: [id] }), 200);
  return inner.id;
}

it('administrative power is found whichever way it is given, and what a Developer has is not', async () => {
  const harmless = await given(other, 'Developer', LITTLE);
  const administrative = await given(acme, 'Admin', MUCH);
  // Something that is found in the other organisation as well: all before it has been looked at.
  const last = await must(
    other.api.post<{ id: string }>('/v1/api-keys', { name: 'k', scopes: ['*:admin'] }),
    201,
  );
  await eventually(async () => {
    expect(await found(acme)).toEqual(expect.arrayContaining(administrative));
    expect(await found(other)).toContain(last.id);
  }, 20_000);
  expect((await found(other)).filter((key) => harmless.includes(key))).toEqual([]);
});
