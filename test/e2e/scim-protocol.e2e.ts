import { beforeAll, describe, expect, it } from 'vitest';
import { publishedAgent } from '../support/agents.js';
import { client } from '../support/client.js';
import {
  createDirectory,
  ENTERPRISE,
  group,
  GROUP,
  mustScim,
  person,
  ScimClient,
  scimRefusal,
  USER,
  type Resource,
  type ScimList,
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

const add = (fields: object = {}): Promise<Resource> => mustScim(scim.post('/Users', person(fields)), 201);
const SEARCH = 'urn:ietf:params:scim:api:messages:2.0:SearchRequest';

describe('versions', () => {
  it('are told by ETag and asked for by If-Match', async () => {
    const made = await scim.post('/Users', person());
    const etag = made.headers.get('etag') ?? '';
    expect(etag).toMatch(/^W\/"/);
    expect(made.body.meta.version).toBe(etag);
    const path = `/Users/${made.body.id}`;
    const changed = await scim
      .with({ 'if-match': etag })
      .patch(path, { op: 'add', path: 'title', value: 'x' });
    expect(changed.status).toBe(200);
    expect(changed.body.meta.version).not.toBe(etag);
    const stale = scim.with({ 'if-match': etag });
    expect(await scimRefusal(stale.patch(path, { op: 'add', path: 'title', value: 'y' }))).toMatchObject({
      status: 412,
    });
    expect(await scimRefusal(stale.put(path, person()))).toMatchObject({ status: 412 });
    expect(await scimRefusal(stale.delete(path))).toMatchObject({ status: 412 });
    const team = await mustScim(scim.post('/Groups', group()), 201);
    await mustScim(
      scim.patch(`/Groups/${team.id}`, { op: 'replace', path: 'displayName', value: uniqueName('x') }),
      204,
    );
    expect(
      await scimRefusal(scim.with({ 'if-match': team.meta.version }).delete(`/Groups/${team.id}`)),
    ).toMatchObject({
      status: 412,
    });
    expect(await mustScim(scim.get(path), 200)).toMatchObject({ title: 'x' });
  });

  it('stay where a change changes nothing', async () => {
    const made = await add({ title: 'Guide' });
    const same = await mustScim(
      scim.patch(`/Users/${made.id}`, { op: 'replace', path: 'title', value: 'Guide' }),
      200,
    );
    expect(same.meta).toEqual(made.meta);
  });
});

describe('what is answered', () => {
  it('is what is asked for, and what is always there', async () => {
    const made = await add({
      title: 'Guide',
      name: { givenName: 'B', familyName: 'J' },
      [ENTERPRISE]: { department: 'D' },
    });
    const path = `/Users/${made.id}`;
    const only = await mustScim(
      scim.get(`${path}?attributes=userName,name.familyName,${ENTERPRISE}:department`),
      200,
    );
    expect(only).toEqual({
      schemas: [USER, ENTERPRISE],
      id: made.id,
      userName: made['userName'],
      name: { familyName: 'J' },
      [ENTERPRISE]: { department: 'D' },
    });
    const without = await mustScim(
      scim.get(`${path}?excludedAttributes=meta,NAME.givenname,${ENTERPRISE}`),
      200,
    );
    expect(without).toEqual({
      schemas: [USER, ENTERPRISE],
      id: made.id,
      userName: made['userName'],
      title: 'Guide',
      active: true,
      name: { familyName: 'J' },
    });
  });

  it('names the groups of a person, directly and through others', async () => {
    const a = await add();
    const inner = await mustScim(scim.post('/Groups', group({ members: [{ value: a.id }] })), 201);
    const outer = await mustScim(
      scim.post('/Groups', group({ members: [{ value: inner.id, type: 'Group' }] })),
      201,
    );
    expect(outer).toMatchObject({ members: [{ value: inner.id, type: 'Group' }] });
    expect((await mustScim(scim.get(`/Users/${a.id}`), 200))['groups']).toEqual([
      { value: inner.id, $ref: inner.meta.location, display: inner['displayName'], type: 'direct' },
      { value: outer.id, $ref: outer.meta.location, display: outer['displayName'], type: 'indirect' },
    ]);
    expect(await scim.find('Users', `groups.value eq "${outer.id}"`)).toMatchObject([{ id: a.id }]);
    expect(await scim.find('Groups', `members.value eq "${a.id}"`)).toMatchObject([{ id: inner.id }]);
    const cycle = { op: 'add', path: 'members', value: [{ value: outer.id }] };
    expect(await scimRefusal(scim.patch(`/Groups/${inner.id}`, cycle))).toMatchObject({ status: 409 });
  });
});

describe('pages', () => {
  let own: ScimClient;
  let made: Resource[];

  beforeAll(async () => {
    own = (await createDirectory(app, acme)).scim;
    made = [];
    for (const title of ['c', 'A', 'b', 'D', 'e', 'F', 'g'])
      made.push(await mustScim(own.post('/Users', person({ title, nickName: 'paged' })), 201));
  });

  const idsOf = (list: ScimList): string[] => list.Resources.map(({ id }) => id);

  it('by index are cut where it is asked for, whatever is asked', async () => {
    const page = (query: string) => mustScim(own.get<ScimList>(`/Users?${query}`), 200);
    expect(idsOf(await page('startIndex=3&count=2'))).toEqual([made[2]?.id, made[3]?.id]);
    expect(await page('startIndex=7&count=50')).toMatchObject({
      totalResults: 7,
      itemsPerPage: 1,
      startIndex: 7,
    });
    expect(await page('startIndex=8')).toMatchObject({ totalResults: 7, Resources: [] });
    expect(await page('count=0')).toMatchObject({ totalResults: 7, Resources: [] });
    expect(idsOf(await page('startIndex=-5&count=1'))).toEqual([made[0]?.id]);
    expect((await page('count=-1')).Resources).toEqual([]);
    expect(await scimRefusal(own.get('/Users?count=many'))).toEqual({
      status: 400,
      scimType: 'invalidValue',
    });
    const filter = encodeURIComponent('nickName eq "paged"');
    expect(idsOf(await page(`filter=${filter}&startIndex=2&count=3`))).toEqual(
      made.slice(1, 4).map(({ id }) => id),
    );
  });

  it('come in the order that is asked for, whatever the case', async () => {
    const titles = async (query: string) =>
      (await mustScim(own.get<ScimList>(`/Users?${query}`), 200)).Resources.map((one) => one['title']);
    expect(await titles('sortBy=title')).toEqual(['A', 'b', 'c', 'D', 'e', 'F', 'g']);
    expect(await titles('sortBy=title&sortOrder=descending&count=2')).toEqual(['g', 'F']);
    expect(await titles('sortBy=meta.created&sortOrder=descending&count=2')).toEqual(['g', 'F']);
    expect(await scimRefusal(own.get('/Users?sortBy=shoeSize'))).toEqual({
      status: 400,
      scimType: 'invalidPath',
    });
  });

  it.each(['', 'nickName eq "paged"'])(
    'by cursor bring each once, where it is filtered by "%s"',
    async (filter) => {
      const seen: string[] = [];
      let cursor: string | undefined = '';
      while (cursor !== undefined) {
        const query = `count=2&cursor=${cursor}${filter === '' ? '' : `&filter=${encodeURIComponent(filter)}`}`;
        const list: ScimList = await mustScim(own.get<ScimList>(`/Users?${query}`), 200);
        expect(list.itemsPerPage).toBeLessThanOrEqual(2);
        seen.push(...idsOf(list));
        cursor = list.nextCursor;
      }
      expect(seen).toEqual(made.map(({ id }) => id));
    },
  );

  it('by a cursor that is none are refused, and by two ways at once', async () => {
    const refusal = (query: string) => scimRefusal(own.get(`/Users?${query}`));
    expect(await refusal('cursor=nonsense')).toEqual({ status: 400, scimType: 'invalidCursor' });
    expect(await refusal('cursor=&startIndex=2')).toEqual({ status: 400, scimType: 'invalidValue' });
  });

  it('of a search by POST are those of a search by GET', async () => {
    const body = {
      schemas: [SEARCH],
      filter: 'title gt "d"',
      sortBy: 'title',
      count: 2,
      attributes: ['title'],
    };
    const found = await mustScim(own.post<ScimList>('/Users/.search', body), 200);
    expect(found).toMatchObject({ totalResults: 3, itemsPerPage: 2 });
    expect(found.Resources.map(({ title }) => title)).toEqual(['e', 'F']);
    const all = await mustScim(own.post<ScimList>('/.search', { schemas: [SEARCH], count: 100 }), 200);
    expect(all).toMatchObject({ totalResults: 7 });
    await mustScim(own.post('/Groups', group({ displayName: 'paged too' })), 201);
    const text = {
      schemas: [SEARCH],
      filter: 'displayName sw "Paged" or id eq "x"',
      startIndex: 1,
      count: 10,
    };
    const both = await mustScim(own.post<ScimList>('/.search', text), 200);
    expect(both).toMatchObject({ totalResults: 1, Resources: [{ displayName: 'paged too' }] });
  });
});

describe('the service', () => {
  it('says of itself what is held by the tests above, and which schemas there are', async () => {
    expect(await mustScim(scim.get('/ServiceProviderConfig'), 200)).toMatchObject({
      patch: { supported: true },
      bulk: { supported: true, maxOperations: 1_000, maxPayloadSize: 1_048_576 },
      filter: { supported: true, maxResults: 200 },
      changePassword: { supported: false },
      sort: { supported: true },
      etag: { supported: true },
      pagination: { cursor: true, index: true, maxPageSize: 200 },
    });
    const types = await mustScim(scim.get<ScimList>('/ResourceTypes'), 200);
    expect(types.Resources).toMatchObject([
      {
        id: 'User',
        endpoint: '/Users',
        schema: USER,
        schemaExtensions: [{ schema: ENTERPRISE, required: false }],
      },
      { id: 'Group', endpoint: '/Groups', schema: GROUP },
    ]);
    expect(await mustScim(scim.get('/ResourceTypes/Group'), 200)).toMatchObject({ id: 'Group' });
    expect(await mustScim(scim.get(`/Schemas/${ENTERPRISE}`), 200)).toMatchObject({ id: ENTERPRISE });
  });

  it('is for directories alone, and directories do nothing else', async () => {
    const routes: [string, string][] = [
      ['GET', '/Users'],
      ['POST', '/Users'],
      ['POST', '/Users/.search'],
      ['GET', '/Groups'],
      ['POST', '/Groups'],
      ['PATCH', '/Groups/01890000-0000-7000-8000-000000000000'],
      ['DELETE', '/Users/01890000-0000-7000-8000-000000000000'],
      ['POST', '/Bulk'],
      ['POST', '/.search'],
      ['GET', '/Schemas'],
      ['GET', '/ResourceTypes'],
      ['GET', '/ServiceProviderConfig'],
    ];
    const owner = new ScimClient(app.baseUrl, acme.apiKey);
    const operator = new ScimClient(app.baseUrl, app.firstRun.operatorKey);
    for (const [method, path] of routes)
      for (const caller of [owner, operator])
        expect({ path, ...(await scimRefusal(caller.send(method, path))) }).toMatchObject({
          path,
          status: 403,
        });
    const { token } = await createDirectory(app, acme);
    const directory = client(app.baseUrl, token);
    const agent = await publishedAgent(acme.api);
    for (const path of [
      '/v1/users',
      '/v1/me',
      '/v1/groups',
      '/v1/scim/directories',
      '/v1/audit/events',
      '/v1/api-keys',
      `/v1/agents/${agent.id}`,
    ])
      expect((await directory.get(path)).status).toBe(403);
    expect((await directory.post('/v1/api-keys', { name: 'x', scopes: ['*:admin'] })).status).toBe(403);
    expect(await scimRefusal(new ScimClient(app.baseUrl, token).get('/Me'))).toMatchObject({ status: 403 });
    expect(await scimRefusal(owner.get('/Me'))).toMatchObject({ status: 404 });
  });
});
