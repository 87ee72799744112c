import { beforeAll, describe, expect, it } from 'vitest';
import {
  createDirectory,
  ENTERPRISE,
  group,
  mustScim,
  PATCH,
  person,
  ScimClient,
  scimRefusal,
  USER,
} from '../support/scim.js';
import { sharedApplication } from '../support/shared-application.js';
import { createTenant, uniqueName, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
let acme: TestTenant;
let scim: ScimClient;

beforeAll(async () => {
  acme = await createTenant(app);
  scim = (await createDirectory(app, acme)).scim;
});

const BULK = 'urn:ietf:params:scim:api:messages:2.0:BulkRequest';

interface BulkReply {
  readonly Operations: readonly {
    readonly method: string;
    readonly status: string;
    readonly bulkId?: string;
    readonly location?: string;
    readonly version?: string;
    readonly response?: { readonly scimType?: string };
  }[];
}
const bulk = (Operations: unknown[], fields: object = {}) =>
  mustScim(scim.post<BulkReply>('/Bulk', { schemas: [BULK], Operations, ...fields }), 200);

describe('several changes at once', () => {
  it('refer to what others add, whichever comes first', async () => {
    const name = uniqueName('Tour Guides');
    const { Operations } = await bulk([
      {
        method: 'POST',
        path: '/Groups',
        bulkId: 'g',
        data: group({ displayName: name, members: [{ value: 'bulkId:u' }] }),
      },
      { method: 'POST', path: '/Users', bulkId: 'u', data: person() },
      {
        method: 'POST',
        path: '/Users',
        bulkId: 'v',
        data: person({ schemas: [USER, ENTERPRISE], [ENTERPRISE]: { manager: { value: 'bulkId:u' } } }),
      },
      {
        method: 'PATCH',
        path: '/Users/bulkId:v',
        data: { schemas: [PATCH], Operations: [{ op: 'add', path: 'title', value: 'x' }] },
      },
    ]);
    expect(Operations.map(({ method, bulkId, status }) => [method, bulkId, status])).toEqual([
      ['POST', 'g', '201'],
      ['POST', 'u', '201'],
      ['POST', 'v', '201'],
      ['PATCH', undefined, '200'],
    ]);
    const [made, first, second] = Operations.map(({ location }) => location?.split('/scim/v2')[1] ?? '');
    const user = await mustScim(scim.get(first ?? ''), 200);
    expect(await mustScim(scim.get(made ?? ''), 200)).toMatchObject({ members: [{ value: user.id }] });
    expect(await mustScim(scim.get(second ?? ''), 200)).toMatchObject({
      title: 'x',
      [ENTERPRISE]: { manager: { value: user.id } },
    });
  });

  it('that refer to one another in a circle, or to nothing, are refused each by itself', async () => {
    const circle = (own: string, others: string) => ({
      method: 'POST',
      path: '/Groups',
      bulkId: own,
      data: group({ members: [{ type: 'Group', value: `bulkId:${others}` }] }),
    });
    const { Operations } = await bulk([
      circle('qwerty', 'ytrewq'),
      circle('ytrewq', 'qwerty'),
      circle('lost', 'nowhere'),
      { method: 'POST', path: '/Users', bulkId: 'u', data: person() },
      { method: 'DELETE', path: '/Users/01890000-0000-7000-8000-000000000000' },
      { method: 'MOVE', path: '/Users' },
      { method: 'POST', path: '/Users', data: person() },
    ]);
    expect(Operations.map(({ status }) => status)).toEqual(['409', '409', '400', '201', '404', '400', '400']);
  });

  it('stop after as many refusals as are said', async () => {
    const wrong = { method: 'POST', path: '/Users', bulkId: 'w', data: { schemas: [USER] } };
    const right = { method: 'POST', path: '/Users', bulkId: 'r', data: person() };
    const { Operations } = await bulk([wrong, { ...wrong, bulkId: 'x' }, right], { failOnErrors: 2 });
    expect(Operations.map(({ status }) => status)).toEqual(['400', '400']);
    expect(await scim.find('Users', `userName eq "${right.data.userName}"`)).toEqual([]);
  });

  it('each stand in the log, those that were refused too', async () => {
    const userName = `${uniqueName('logged')}@people.example`;
    const reply = await scim.post<BulkReply>('/Bulk', {
      schemas: [BULK],
      Operations: [
        { method: 'POST', path: '/Users', bulkId: 'a', data: person({ userName }) },
        { method: 'POST', path: '/Users', bulkId: 'b', data: person({ userName }) },
      ],
    });
    const events = await acme.api.all<Record<string, unknown>>(
      `/v1/audit/events?requestId=${reply.headers.get('x-request-id')}`,
    );
    expect(events.map(({ action, outcome, reason }) => [action, outcome, reason]).toReversed()).toEqual([
      ['scim_user.created', 'success', undefined],
      ['scim_user.created', 'failure', 'SCIM_UNIQUENESS'],
      ['scim.bulk_done', 'success', undefined],
    ]);
  });

  it('say where each resource is, but of what was not added', async () => {
    const [known, gone] = await Promise.all([
      mustScim(scim.post('/Users', person()), 201),
      mustScim(scim.post('/Users', person()), 201),
    ]);
    const team = await mustScim(scim.post('/Groups', group()), 201);
    const nobody = '01890000-0000-7000-8000-000000000000';
    const Operations = [
      { method: 'PATCH', path: `/Groups/${team.id}`, data: [{ op: 'add', path: 'members', value: [] }] },
      { method: 'DELETE', path: `/Users/${gone.id}` },
      { method: 'PUT', path: `/Users/${nobody}`, data: person() },
      { method: 'PATCH', path: `/Groups/${nobody}`, data: [{ op: 'add', path: 'displayName', value: 'x' }] },
      { method: 'DELETE', path: '/Users/no-id' },
      { method: 'PUT', path: `/Users/${known.id}`, version: 'W/"99.9"', data: person() },
      { method: 'POST', path: '/Users', bulkId: 'wrong', data: {} },
      { method: 'POST', path: '/Users' },
    ];
    const base = known.meta.location.split('/Users')[0] ?? '';
    expect(
      (await bulk(Operations)).Operations.map(({ method, status, location }) => [method, status, location]),
    ).toEqual([
      ['PATCH', '204', team.meta.location],
      ['DELETE', '204', gone.meta.location],
      ['PUT', '404', `${base}/Users/${nobody}`],
      ['PATCH', '404', `${base}/Groups/${nobody}`],
      ['DELETE', '404', `${base}/Users/no-id`],
      ['PUT', '412', known.meta.location],
      ['POST', '400', undefined],
      ['POST', '400', undefined],
    ]);
  });

  it('tried and not done come to what they would, those that refer to what others add too', async () => {
    const directory = await createDirectory(app, acme);
    const name = uniqueName('Tour Guides');
    const body = person();
    const Operations = [
      {
        method: 'POST',
        path: '/Groups',
        bulkId: 'g',
        data: group({ displayName: name, members: [{ value: 'bulkId:u' }] }),
      },
      { method: 'POST', path: '/Users', bulkId: 'u', data: body },
      { method: 'PATCH', path: '/Users/bulkId:u', data: [{ op: 'add', path: 'title', value: 'x' }] },
      { method: 'POST', path: '/Users', bulkId: 'w', data: {} },
      { method: 'POST', path: '/Groups', bulkId: 'h', data: group({ members: [{ value: 'bulkId:w' }] }) },
    ];
    const asked = { schemas: [BULK], Operations };
    const dry = directory.scim.with({ 'x-waxell-dry-run': 'true' });
    const tried = await mustScim(dry.post<BulkReply>('/Bulk', asked), 200);
    type Tried = { readonly response: { readonly status?: string } };
    expect(
      tried.Operations.map(({ status, response }) => [status, (response as Tried['response']).status]),
    ).toEqual([
      ['200', '201'],
      ['200', '201'],
      ['200', '200'],
      ['400', '400'],
      ['400', '400'],
    ]);
    expect(await directory.scim.find('Users', `userName eq "${body.userName}"`)).toEqual([]);
    expect(await directory.scim.find('Groups', `displayName eq "${name}"`)).toEqual([]);
    const done = await mustScim(directory.scim.post<BulkReply>('/Bulk', asked), 200);
    expect(done.Operations.map(({ status }) => status)).toEqual(['201', '201', '200', '400', '400']);
  });

  it('are a thousand at most, and a body of a mebibyte', async () => {
    const Operations = Array.from({ length: 1_001 }, () => ({ method: 'DELETE', path: '/Users/x' }));
    expect(await scimRefusal(scim.post('/Bulk', { schemas: [BULK], Operations }))).toMatchObject({
      status: 413,
    });
    const large = person({ title: 'x'.repeat(1_100_000) });
    expect(await scimRefusal(scim.post('/Users', large))).toMatchObject({ status: 413 });
  });
});
