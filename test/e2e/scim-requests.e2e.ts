import { beforeAll, describe, expect, it } from 'vitest';
import type { FullScimRequestDto, ScimRequestDto } from '../../src/scim/directories.dto.js';
import { must, refusal, type Client } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import {
  createDirectory,
  group,
  mustScim,
  ownerOf,
  person,
  scimRefusal,
  type TestDirectory,
} from '../support/scim.js';
import { sharedApplication } from '../support/shared-application.js';
import { createTenant, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const BULK = 'urn:ietf:params:scim:api:messages:2.0:BulkRequest';
let acme: TestTenant;
let other: TestTenant;
let owner: Client;

beforeAll(async () => {
  [acme, other] = await Promise.all([createTenant(app), createTenant(app)]);
  owner = await ownerOf(app, acme);
});

const logged = (directory: TestDirectory, tenant = acme): Promise<ScimRequestDto[]> =>
  tenant.api.all<ScimRequestDto>(`/v1/scim/requests?directory=${directory.id}`);
const told = ({ action, status, scimType }: ScimRequestDto): unknown[] => [action, status, scimType];
const full = (id = ''): Promise<FullScimRequestDto> =>
  must(acme.api.get<FullScimRequestDto>(`/v1/scim/requests/${id}`), 200);

describe('what a directory has asked for in vain is kept, with why', () => {
  it('where its body could not be read, and was too large', async () => {
    const directory = await createDirectory(app, acme);
    const { scim } = directory;
    expect(await scimRefusal(scim.send('POST', '/Users', '{"userName":'))).toMatchObject({ status: 400 });
    expect(await scimRefusal(scim.post('/Users', person({ title: 'x'.repeat(1_100_000) })))).toMatchObject({
      status: 413,
    });
    const deep = `${'['.repeat(70)}${']'.repeat(70)}`;
    expect(await scimRefusal(scim.send('POST', '/Groups', deep))).toMatchObject({ status: 400 });
    const kept = await logged(directory);
    expect(kept.map(told).toReversed()).toEqual([
      ['scim_user.created', 400, 'invalidSyntax'],
      ['scim_user.created', 413, undefined],
      ['scim_group.created', 400, 'invalidValue'],
    ]);
    expect(kept.every(({ reason }) => (reason ?? '') !== '')).toBe(true);
    // Nothing of it could be run again.
    const again = owner.post(`/v1/scim/requests/${kept.at(-1)?.id}/replay`, {});
    expect(await refusal(again)).toEqual({ status: 409, code: 'REPLAY_REFUSED' });
    expect(await acme.api.all(`/v1/audit/events?actor=${directory.id}`)).toHaveLength(3);
    // Who asks without a token that is good learns nothing of what was wrong with it, and leaves nothing.
    const stranger = (await createDirectory(app, other)).scim;
    expect(
      await scimRefusal(stranger.with({ authorization: 'Bearer x' }).send('POST', '/Users', '{')),
    ).toEqual({
      status: 401,
      scimType: undefined,
    });
    expect(await logged(directory)).toHaveLength(3);
  });

  it('where a bulk request was refused as a whole, or an operation before it began', async () => {
    const directory = await createDirectory(app, acme);
    const { scim } = directory;
    const circle = (own: string, others: string) => ({
      method: 'POST',
      path: '/Groups',
      bulkId: own,
      data: group({ members: [{ value: `bulkId:${others}` }] }),
    });
    await scim.post('/Bulk', { schemas: [BULK] });
    const Operations = Array.from({ length: 1_001 }, () => ({ method: 'DELETE', path: '/Users/x' }));
    await scim.post('/Bulk', { schemas: [BULK], Operations });
    const mixed = [circle('a', 'b'), circle('b', 'a'), { method: 'DELETE', path: '/Users/no-id' }];
    await mustScim(scim.post('/Bulk', { schemas: [BULK], Operations: mixed }), 200);
    expect((await logged(directory)).map(told).toReversed()).toEqual([
      ['scim.bulk_done', 400, 'invalidSyntax'],
      ['scim.bulk_done', 413, undefined],
      ['scim_group.created', 409, 'uniqueness'],
      ['scim_group.created', 409, 'uniqueness'],
      ['scim_user.deleted', 404, undefined],
    ]);
  });

  it('where it was long, as a whole, and is run again', async () => {
    const directory = await createDirectory(app, acme);
    const taken = await mustScim(directory.scim.post('/Groups', group()), 201);
    const made = await mustScim(directory.scim.post('/Users', person()), 201);
    // A provider that says of each member what it knows.
    const members = Array.from({ length: 3_000 }, () => ({ value: made.id, display: 'x'.repeat(20) }));
    const body = group({ displayName: taken['displayName'], members });
    expect(JSON.stringify(body).length).toBeGreaterThan(200_000);
    expect(await scimRefusal(directory.scim.post('/Groups', body))).toMatchObject({ status: 409 });
    const [refused] = await logged(directory);
    expect((await full(refused?.id)).body).toEqual(body);
    await mustScim(directory.scim.delete(`/Groups/${taken.id}`), 204);
    const again = owner.post<ScimRequestDto>(`/v1/scim/requests/${refused?.id}/replay`, {});
    expect(await must(again, 200)).toMatchObject({ status: 201 });
    // Of what was done the length is enough.
    const [done] = await logged(directory);
    expect((await full(done?.id)).body).toMatchObject({ truncated: true });
  });

  it('for thirty days, whether or not the directory asks for anything else', async () => {
    const directory = await createDirectory(app, acme);
    await mustScim(directory.scim.post('/Users', person()), 201);
    const [entry] = await logged(directory);
    await asSuperuser(app.home, 'us-east-1', (database) =>
      database.query(
        `UPDATE ${acme.id}.scim_requests SET created_at = now() - interval '31 days' WHERE id = $1`,
        [entry?.id],
      ),
    );
    expect(await logged(directory)).toEqual([]);
    expect(await refusal(acme.api.get(`/v1/scim/requests/${entry?.id}`))).toMatchObject({ status: 404 });
  });
});

it('a group of as many people as one change may name is within what is read', async () => {
  const { scim } = await createDirectory(app, acme);
  const made = await mustScim(scim.post('/Users', person()), 201);
  const member = { value: made.id, $ref: made.meta.location, type: 'User' };
  // As GET answers them.
  const members = Array.from({ length: 20_000 }, () => member);
  expect(JSON.stringify(members).length).toBeGreaterThan(2_500_000);
  const team = await mustScim(scim.post('/Groups', group({ members })), 201);
  expect(team['members']).toHaveLength(1);
  const tooLarge = group({ members, schemas: ['x'.repeat(4_194_304)] });
  expect(await scimRefusal(scim.put(`/Groups/${team.id}`, tooLarge))).toMatchObject({ status: 413 });
});
