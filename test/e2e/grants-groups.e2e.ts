import { beforeAll, describe, expect, it } from 'vitest';
import type { GrantDto } from '../../src/roles/grants.dto.js';
import {
  anAgent,
  furnished,
  grant,
  makeRole,
  personOf,
  type Furnished,
  type Signed,
} from '../support/access.js';
import { must, refusal, type Client } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { sharedApplication } from '../support/shared-application.js';
import { createTenant, uniqueName, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const NOT_FOUND = { status: 404, code: 'NOT_FOUND' };
const EXCEEDS = { status: 403, code: 'GRANT_EXCEEDS_OWN' };
let acme: TestTenant;
let other: TestTenant;
let ours: Furnished;

beforeAll(async () => {
  acme = await createTenant(app);
  other = await createTenant(app);
  ours = await furnished(acme.api, 3);
});

const member = (): Promise<Signed> => personOf(app, acme, 'Member');
const on = ({ project }: Furnished): string => `projects/${project.id}/`;

describe('a grant to a group', () => {
  const groupOf = async (people: readonly string[], groups: readonly string[] = []): Promise<string> => {
    const { id } = await must(
      acme.api.post<{ id: string }>('/v1/groups', { displayName: uniqueName('g') }),
      201,
    );
    await putInto(acme.api, id, { addPeople: people, addGroups: groups });
    return id;
  };
  const putInto = (api: Client, id: string, body: object) =>
    must(api.patch(`/v1/groups/${id}/members`, body), 200);
  const grantGroup = (api: Client, where: string, id: string, role: string) =>
    api.post<GrantDto>(`/v1/${where}grants`, { principal: { type: 'group', id }, role });

  it('is held by who is in it, through other groups as well, and by nobody who has left', async () => {
    const { person, api } = await member();
    const inner = await groupOf([person.id]);
    const outer = await groupOf([], [inner]);
    await must(grantGroup(acme.api, on(ours), outer, 'Viewer'), 201);
    const path = `/v1/agents/${anAgent(ours).id}`;
    await eventually(async () => expect((await api.get(path)).status).toBe(200), 1_000);
    await putInto(acme.api, inner, { removePeople: [person.id] });
    await eventually(async () => expect((await api.get(path)).status).toBe(403), 1_000);
  });

  it('ends with its group', async () => {
    const { person, api } = await member();
    const group = await groupOf([person.id]);
    const { id } = await must(grantGroup(acme.api, on(ours), group, 'Viewer'), 201);
    await must(acme.api.delete(`/v1/groups/${group}`), 204);
    await eventually(
      async () => expect((await api.get(`/v1/projects/${ours.project.id}`)).status).toBe(403),
      1_000,
    );
    expect(await refusal(acme.api.delete(`/v1/grants/${id}`))).toEqual(NOT_FOUND);
  });

  it('is given to nobody by putting them in who could not have granted it, nor to oneself', async () => {
    const { person: manager, api } = await member();
    const role = await makeRole(acme.api, ['group:manage']);
    await grant(acme.api, '', manager.id, { roleId: role.id });
    const strong = await groupOf([]);
    await must(grantGroup(acme.api, on(ours), strong, 'Admin'), 201);
    const weak = await groupOf([]);
    await putInto(acme.api, strong, { addGroups: [weak] });
    const { person } = await member();
    for (const group of [strong, weak]) {
      const into = (id: string) => api.patch(`/v1/groups/${group}/members`, { addPeople: [id] });
      expect(await refusal(into(person.id))).toEqual(EXCEEDS);
      expect(await refusal(into(manager.id))).toEqual({ status: 403, code: 'GRANT_TO_SELF' });
      const nested = (id: string) => refusal(api.patch(`/v1/groups/${group}/members`, { addGroups: [id] }));
      expect(await nested(await groupOf([person.id]))).toEqual(EXCEEDS);
      expect(await nested(await groupOf([manager.id]))).toEqual({ status: 403, code: 'GRANT_TO_SELF' });
    }
    expect(
      (await api.patch(`/v1/groups/${await groupOf([])}/members`, { addPeople: [person.id] })).status,
    ).toBe(200);
  });

  it('is of groups of the own organisation, and of no Owner', async () => {
    const { id } = await must(
      other.api.post<{ id: string }>('/v1/groups', { displayName: uniqueName('g') }),
      201,
    );
    expect(await refusal(grantGroup(acme.api, '', id, 'Viewer') as never)).toEqual(NOT_FOUND);
    const own = await groupOf([]);
    expect(await refusal(grantGroup(acme.api, '', own, 'Owner') as never)).toEqual({
      status: 400,
      code: 'INVALID_REQUEST',
    });
  });
});
