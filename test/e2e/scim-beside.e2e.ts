import { beforeAll, expect, it } from 'vitest';
import type { UserDto } from '../../src/auth/auth.dto.js';
import { must } from '../support/client.js';
import { createDirectory, group, mustScim, person, type ScimClient } from '../support/scim.js';
import { sharedApplication } from '../support/shared-application.js';
import { createTenant, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const ROUNDS = 3;
const PEOPLE = 8;
let acme: TestTenant;
let other: TestTenant;
let scim: ScimClient;
let theirs: ScimClient;

beforeAll(async () => {
  [acme, other] = [await createTenant(app), await createTenant(app)];
  [scim, theirs] = [(await createDirectory(app, acme)).scim, (await createDirectory(app, other)).scim];
});

const provide = async (from: ScimClient, count: number): Promise<string[]> => {
  const made = Array.from({ length: count }, () => mustScim(from.post('/Users', person()), 201));
  return (await Promise.all(made)).map(({ id }) => id);
};
const membersOf = async (from: ScimClient, id: string): Promise<string[]> => {
  const { members = [] } = (await mustScim(from.get(`/Groups/${id}`), 200)) as {
    members?: { value: string }[];
  };
  return members.map(({ value }) => value).toSorted();
};

it('neither taking people away nor changing their groups is refused because of the other', async () => {
  const kept = await provide(theirs, 2);
  const beside = await mustScim(
    theirs.post('/Groups', group({ members: kept.map((value) => ({ value })) })),
    201,
  );
  for (let round = 0; round < ROUNDS; round += 1) {
    const [staying = '', ...leaving] = await provide(scim, PEOPLE + 1);
    const members = [staying, ...leaving].map((value) => ({ value }));
    const teams = await Promise.all(
      [0, 1].map(async () => (await mustScim(scim.post('/Groups', group({ members })), 201)).id),
    );
    // Each is taken away, and at the same moment named in both groups anew.
    const asked = leaving.flatMap((value) => [
      scim.delete(`/Users/${value}`),
      ...teams.map((team) =>
        scim.patch(`/Groups/${team}`, { op: 'remove', path: `members[value eq "${value}"]` }),
      ),
      ...teams.map((team) =>
        scim.patch(`/Groups/${team}`, { op: 'add', path: 'members', value: [{ value }] }),
      ),
    ]);
    const statuses = new Set((await Promise.all(asked)).map(({ status }) => status));
    // Whoever is not there any more is not put in.
    for (const status of statuses) expect([200, 204, 400]).toContain(status);
    for (const team of teams) expect(await membersOf(scim, team)).toEqual([staying]);
  }
  expect(await membersOf(theirs, beside.id)).toEqual(kept.toSorted());
});

it('Owners who are deactivated at once are, but for the last', async () => {
  const owners = await provide(scim, 3);
  for (const id of owners) await must(acme.api.patch<UserDto>(`/v1/users/${id}`, { role: 'Owner' }), 200);
  const off = { op: 'replace', value: { active: false } };
  const answers = await Promise.all(owners.map((id) => scim.patch(`/Users/${id}`, off)));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  const people = await acme.api.all<UserDto>('/v1/users');
  expect(people.filter(({ role, status }) => role === 'Owner' && status === 'active')).toHaveLength(1);
});
