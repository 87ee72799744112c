import { beforeAll, describe, expect, it } from 'vitest';
import type { UserDto } from '../../src/auth/auth.dto.js';
import type { ScimRequestDto } from '../../src/scim/directories.dto.js';
import { must, refusal, type Client } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { createDirectory, group, mustScim, ownerOf, person, type TestDirectory } from '../support/scim.js';
import { sharedApplication } from '../support/shared-application.js';
import { steppedUp } from '../support/single-sign-on.js';
import { createPerson, createTenant, uniqueName, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const REFUSED = { status: 409, code: 'REPLAY_REFUSED' };
let acme: TestTenant;
let other: TestTenant;
let owner: Client;

beforeAll(async () => {
  [acme, other] = await Promise.all([createTenant(app), createTenant(app)]);
  owner = await ownerOf(app, acme);
});

const accounts = (): Promise<UserDto[]> => acme.api.all<UserDto>('/v1/users');
const logged = (directory: TestDirectory): Promise<ScimRequestDto[]> =>
  acme.api.all<ScimRequestDto>(`/v1/scim/requests?directory=${directory.id}`);
const replay = (id: string, body: object = {}, session = owner) =>
  session.post<ScimRequestDto>(`/v1/scim/requests/${id}/replay`, body);

/** A directory that was refused somebody, as their domain was not verified, and is not refused them any more. */
async function refusedOnce(settings: object = {}): Promise<{
  readonly directory: TestDirectory;
  readonly refused: ScimRequestDto;
  readonly id: string;
}> {
  const directory = await createDirectory(app, acme, settings);
  const domain = `${uniqueName('d')}.example`;
  const email = `ann@${domain}`;
  const { id } = await must(
    acme.api.post<UserDto>('/v1/users', {
      email,
      password: 'correct horse battery staple 1',
      role: 'Viewer',
    }),
    201,
  );
  expect((await directory.scim.post('/Users', person({ userName: email, active: false }))).status).toBe(409);
  const [refused] = await logged(directory);
  if (!refused) throw new Error('What is refused is in the log.');
  expect(refused).toMatchObject({ status: 409, scimType: 'uniqueness' });
  await asSuperuser(app.home, 'us-east-1', (database) =>
    database.query('INSERT INTO control.domains (name, tenant) VALUES ($1, $2)', [domain, acme.id]),
  );
  return { directory, refused, id };
}

describe('a refused request that is run again', () => {
  it('does what it would have, as its directory, with an event that names who had it run; and once', async () => {
    const { directory, refused, id } = await refusedOnce();
    const tried = await must(replay(refused.id, { dryRun: true }), 200);
    expect(tried).toMatchObject({ status: 201, dryRun: true, replayOf: refused.id, directory: directory.id });
    expect((await accounts()).find((one) => one.id === id)?.status).toBe('active');
    const done = await must(replay(refused.id), 200);
    expect(done).toMatchObject({
      action: 'scim_user.adopted',
      status: 201,
      dryRun: false,
      replayOf: refused.id,
      replayedBy: acme.owner.id,
    });
    expect((await accounts()).find((one) => one.id === id)?.status).toBe('disabled');
    expect((await mustScim(directory.scim.get(`/Users/${id}`), 200))['active']).toBe(false);
    const [event] = await acme.api.all<object>(`/v1/audit/events?action=scim_user.adopted`);
    expect(event).toMatchObject({
      outcome: 'success',
      actor: { type: 'directory', id: directory.id },
      changes: { replayOf: refused.id, replayedBy: acme.owner.id },
    });
    const [outer] = await acme.api.all<object>(`/v1/audit/events?action=scim_request.replayed`);
    expect(outer).toMatchObject({
      outcome: 'success',
      actor: { type: 'user', id: acme.owner.id },
      resource: { type: 'scim_request', id: refused.id },
      changes: { dryRun: false, status: 201, entry: done.id },
    });
    expect(await refusal(replay(refused.id))).toEqual(REFUSED);
  });

  it('is done by one of many who want it at the same time', async () => {
    const { directory, refused } = await refusedOnce();
    const answers = await Promise.all(Array.from({ length: 6 }, () => replay(refused.id)));
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    expect(statuses.filter((status) => status === 409)).toHaveLength(5);
    const done = (await logged(directory)).filter(({ status }) => status === 201);
    expect(done).toMatchObject([{ replayOf: refused.id }]);
  });

  it('is refused once more while its cause is there, which the log says of both', async () => {
    const directory = await createDirectory(app, acme);
    const somebody = person();
    await mustScim(directory.scim.post('/Users', somebody), 201);
    expect((await directory.scim.post('/Users', somebody)).status).toBe(409);
    const [refused] = await logged(directory);
    const again = await must(replay(refused?.id ?? ''), 200);
    expect(again).toMatchObject({ status: 409, scimType: 'uniqueness', replayOf: refused?.id });
    expect(again.reason).toBe(refused?.reason);
    // That can be run again in turn.
    expect((await must(replay(again.id), 200)).replayOf).toBe(again.id);
  });

  it('that was one of several refers to what the others have added', async () => {
    const directory = await createDirectory(app, acme);
    const taken = await mustScim(directory.scim.post('/Groups', group()), 201);
    const Operations = [
      { method: 'POST', path: '/Users', bulkId: 'u', data: person() },
      {
        method: 'POST',
        path: '/Groups',
        bulkId: 'g',
        data: group({ displayName: taken['displayName'], members: [{ value: 'bulkId:u' }] }),
      },
      { method: 'POST', path: '/Users', bulkId: 'w', data: {} },
      { method: 'POST', path: '/Groups', bulkId: 'h', data: group({ members: [{ value: 'bulkId:w' }] }) },
    ];
    const schemas = ['urn:ietf:params:scim:api:messages:2.0:BulkRequest'];
    const reply = await mustScim(
      directory.scim.post<{ Operations: { status: string; location: string }[] }>('/Bulk', {
        schemas,
        Operations,
      }),
      200,
    );
    expect(reply.Operations.map(({ status }) => status)).toEqual(['201', '409', '400', '400']);
    const refused = (await logged(directory)).filter(
      ({ action, status }) => action === 'scim_group.created' && status >= 400,
    );
    const [lost, first] = refused;
    await mustScim(directory.scim.delete(`/Groups/${taken.id}`), 204);
    expect(await must(replay(first?.id ?? ''), 200)).toMatchObject({ status: 201 });
    const [made] = await directory.scim.find('Groups', `displayName eq "${String(taken['displayName'])}"`);
    expect(made?.['members']).toMatchObject([{ value: reply.Operations[0]?.location.split('/Users/')[1] }]);
    // What was never added cannot be referred to, which is said.
    expect(await refusal(replay(lost?.id ?? ''))).toEqual(REFUSED);
  });

  it('keeps to the version that it was meant for', async () => {
    const directory = await createDirectory(app, acme);
    const { id } = await mustScim(directory.scim.post('/Users', person()), 201);
    const change = {
      schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
      Operations: [{ op: 'replace', value: { active: false } }],
    };
    const stale = await directory.scim.send('PATCH', `/Users/${id}`, change, { 'if-match': 'W/"99.9"' });
    expect(stale.status).toBe(412);
    const [refused] = await logged(directory);
    expect(await must(replay(refused?.id ?? ''), 200)).toMatchObject({ status: 412 });
    expect((await accounts()).find((one) => one.id === id)?.status).toBe('active');
  });
});

describe('it is not run', () => {
  it('where it was done, only tried, or its directory is disabled', async () => {
    const { directory, refused } = await refusedOnce();
    await mustScim(directory.scim.post('/Users', person()), 201);
    const [done] = await logged(directory);
    expect(await refusal(replay(done?.id ?? ''))).toEqual(REFUSED);
    const tried = await must(replay(refused.id, { dryRun: true }), 200);
    expect(await refusal(replay(tried.id))).toEqual(REFUSED);
    await must(owner.patch(`/v1/scim/directories/${directory.id}`, { state: 'disabled' }), 200);
    expect(await refusal(replay(refused.id))).toEqual(REFUSED);
  });

  it('by an API key, by who may not, by an Admin for an Owner’s directory, or by another organisation', async () => {
    const { refused, id } = await refusedOnce();
    const asked = async (session: Client): Promise<unknown> => refusal(replay(refused.id, {}, session));
    expect(await asked(acme.api)).toEqual({ status: 403, code: 'STEP_UP_NEEDS_SESSION' });
    const session = async (role: string) => steppedUp(app, acme, await createPerson(acme.api, role));
    expect(await asked(await session('Developer'))).toMatchObject({ status: 403 });
    expect(await asked(await session('Admin'))).toEqual({ status: 403, code: 'GRANT_EXCEEDS_OWN' });
    expect(await asked(await ownerOf(app, other))).toEqual({ status: 404, code: 'NOT_FOUND' });
    expect((await accounts()).find((one) => one.id === id)?.status).toBe('active');
  });
});
