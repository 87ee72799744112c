import { beforeAll, describe, expect, it } from 'vitest';
import type { UserDto } from '../../src/auth/auth.dto.js';
import type { GroupDto } from '../../src/groups/groups.dto.js';
import type {
  CreatedDirectoryTokenDto,
  DirectoryDto,
  DirectoryTokenListDto,
  FullScimRequestDto,
  ScimRequestDto,
} from '../../src/scim/directories.dto.js';
import { client, must, refusal, type Client } from '../support/client.js';
import {
  createDirectory,
  group,
  mustScim,
  ownerOf,
  person,
  ScimClient,
  scimRefusal,
} from '../support/scim.js';
import { sharedApplication } from '../support/shared-application.js';
import { createPerson, createTenant, signIn, uniqueName, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
let acme: TestTenant;
let other: TestTenant;
let owner: Client;

beforeAll(async () => {
  [acme, other] = await Promise.all([createTenant(app), createTenant(app)]);
  owner = await ownerOf(app, acme);
});

const accountOf = async (id: string): Promise<UserDto | undefined> =>
  (await acme.api.all<UserDto>('/v1/users')).find((user) => user.id === id);
const deactivate = { op: 'replace', value: { active: false } };

describe('a directory', () => {
  it('is set by an administrator, who has just proved who they are, and gives at most what they hold', async () => {
    const body = {
      name: 'Okta',
      kind: 'okta',
      defaultRole: 'Developer',
      mapping: { displayName: 'nickName' },
    };
    expect(await refusal(acme.api.post('/v1/scim/directories', body))).toMatchObject({ status: 403 });
    const made = await must(owner.post<DirectoryDto>('/v1/scim/directories', body), 201);
    expect(made).toMatchObject({
      ...body,
      state: 'active',
      conflicts: 'adopt',
      highestRole: 'Owner',
      version: 1,
    });
    expect(made.baseUrl).toMatch(/\/scim\/v2$/);
    const path = `/v1/scim/directories/${made.id}`;
    expect(await must(acme.api.get<DirectoryDto>(path), 200)).toEqual(made);
    const changed = await must(
      owner.patch<DirectoryDto>(path, { name: 'Renamed' }, { 'if-match': '"1"' }),
      200,
    );
    expect(changed).toMatchObject({ name: 'Renamed', version: 2 });
    expect(await refusal(owner.patch(path, { name: 'x' }, { 'if-match': '"1"' }))).toMatchObject({
      status: 412,
    });
    const invalid = { status: 400, code: 'INVALID_REQUEST' };
    for (const wrong of [
      { defaultRole: 'Owner' },
      { mapping: { email: 'shoeSize' } },
      { mapping: { email: 'emails' } },
      { conflicts: 'x' },
    ])
      expect(await refusal(owner.post('/v1/scim/directories', { ...body, ...wrong }))).toEqual(invalid);
    const viewer = await createPerson(acme.api, 'Developer');
    const session = client(app.baseUrl, (await signIn(app, acme.slug, viewer)).accessToken);
    expect(await refusal(session.get('/v1/scim/directories'))).toMatchObject({ status: 403 });
  });

  it('has tokens that are shown once, take the place of one another, and end at once when they are revoked', async () => {
    const { id, token, scim } = await createDirectory(app, acme);
    const path = `/v1/scim/directories/${id}/tokens`;
    const second = await must(owner.post<CreatedDirectoryTokenDto>(path, { days: 1 }), 201);
    expect(second.token).toMatch(/^wax_scim_[0-9a-f]{16}_[0-9A-Za-z]{49}$/);
    expect(Date.parse(second.expiresAt) - Date.now()).toBeLessThanOrEqual(86_400_000);
    const other2 = new ScimClient(app.baseUrl, second.token);
    await mustScim(other2.get('/Users'), 200);
    const { items } = await must(acme.api.get<DirectoryTokenListDto>(path), 200);
    expect(items).toHaveLength(2);
    expect(JSON.stringify(items)).not.toContain(token.slice(-20));
    await must(owner.delete(`${path}/${second.id}`), 204);
    expect(await scimRefusal(other2.get('/Users'))).toMatchObject({ status: 401 });
    await mustScim(scim.get('/Users'), 200);
    const forged = `${token.slice(0, -1)}${token.endsWith('a') ? 'b' : 'a'}`;
    expect(await scimRefusal(new ScimClient(app.baseUrl, forged).get('/Users'))).toMatchObject({
      status: 401,
    });
    expect(await refusal(owner.post(path, { days: 731 }))).toMatchObject({ status: 400 });
    for (let number = 0; number < 9; number += 1)
      await must(owner.post<CreatedDirectoryTokenDto>(path, {}), 201);
    expect(await refusal(owner.post(path, {}))).toEqual({ status: 409, code: 'TOO_MANY_TOKENS' });
  });

  it('that is disabled is nobody any more; deleted, its people and groups are looked after by hand', async () => {
    const { id, scim } = await createDirectory(app, acme);
    const made = await mustScim(scim.post('/Users', person()), 201);
    const team = await mustScim(scim.post('/Groups', group({ members: [{ value: made.id }] })), 201);
    const byHand = acme.api.patch(`/v1/groups/${team.id}`, { displayName: uniqueName('x') });
    expect(await refusal(byHand)).toEqual({ status: 409, code: 'GROUP_PROVIDED' });
    expect(await refusal(acme.api.delete(`/v1/groups/${team.id}`))).toEqual({
      status: 409,
      code: 'GROUP_PROVIDED',
    });
    const path = `/v1/scim/directories/${id}`;
    expect(await refusal(owner.delete(path))).toEqual({ status: 409, code: 'DIRECTORY_ACTIVE' });
    await must(owner.patch<DirectoryDto>(path, { state: 'disabled' }), 200);
    expect(await scimRefusal(scim.get('/Users'))).toMatchObject({ status: 401 });
    expect(await accountOf(made.id)).toMatchObject({ status: 'active' });
    await must(owner.delete(path), 204);
    expect(await accountOf(made.id)).toMatchObject({ status: 'active' });
    const kept = await must(acme.api.get<GroupDto>(`/v1/groups/${team.id}`), 200);
    expect(kept).toMatchObject({ people: 1 });
    expect(kept).not.toHaveProperty('directory');
    await must(acme.api.delete(`/v1/groups/${team.id}`), 204);
  });

  it('sees and changes nothing that another directory of the organisation provides', async () => {
    const [first, second] = [
      (await createDirectory(app, acme)).scim,
      (await createDirectory(app, acme)).scim,
    ];
    const made = await mustScim(first.post('/Users', person()), 201);
    const team = await mustScim(first.post('/Groups', group()), 201);
    for (const path of [`/Users/${made.id}`, `/Groups/${team.id}`]) {
      expect(await scimRefusal(second.get(path))).toMatchObject({ status: 404 });
      expect(await scimRefusal(second.delete(path))).toMatchObject({ status: 404 });
    }
    const theirs = group({ members: [{ value: made.id }] });
    expect(await scimRefusal(second.post('/Groups', theirs))).toEqual({
      status: 400,
      scimType: 'invalidValue',
    });
    // One address is one person's.
    const again = person({ userName: 'another', emails: [{ value: made['userName'] }] });
    expect(await scimRefusal(second.post('/Users', again))).toEqual({ status: 409, scimType: 'uniqueness' });
  });
});

describe('what directories have asked for', () => {
  it('is kept with why it was refused, and can be sent again as it came', async () => {
    const { id, scim } = await createDirectory(app, acme);
    const body = person({ title: 'Guide' });
    await mustScim(scim.post('/Users', body), 201);
    await scimRefusal(scim.post('/Users', body));
    await scimRefusal(scim.patch('/Users/01890000-0000-7000-8000-000000000000', deactivate));
    await mustScim(scim.with({ 'x-waxell-dry-run': 'true' }).post('/Users', person()), 200);
    const all = await acme.api.all<ScimRequestDto>(`/v1/scim/requests?directory=${id}`, 2);
    expect(all.map(({ status, scimType, dryRun }) => [status, scimType, dryRun])).toEqual([
      [201, undefined, true],
      [404, undefined, false],
      [409, 'uniqueness', false],
      [201, undefined, false],
    ]);
    const refused = await acme.api.all<ScimRequestDto>(`/v1/scim/requests?directory=${id}&outcome=refused`);
    expect(refused.map(({ reason }) => reason)).toEqual([
      'No such user. Check the id, and that it belongs to your organisation.',
      'Another person of this directory has this userName already.',
    ]);
    const full = await must(acme.api.get<FullScimRequestDto>(`/v1/scim/requests/${refused[1]?.id}`), 200);
    expect(full).toMatchObject({ method: 'POST', path: '/scim/v2/Users', body });
    expect(await refusal(other.api.get(`/v1/scim/requests/${refused[1]?.id}`))).toMatchObject({
      status: 404,
    });
  });
});
