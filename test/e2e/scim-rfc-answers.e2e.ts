import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  createDirectory,
  group,
  mustScim,
  person,
  USER,
  type Resource,
  type ScimClient,
} from '../support/scim.js';
import { sharedApplication } from '../support/shared-application.js';
import { createTenant } from '../support/tenants.js';

const app = sharedApplication();
const FOLDER = join(process.env['WAXELL_DATA'] ?? '../shared/data', 'scim');
const EXAMPLES = filesOf(FOLDER);
/** Descriptions of what describes: RFC 7643 section 4 has /Schemas answer those of resources. */
const NOT_SERVED = new Set([
  'rfc7643-8.7.2-schema-resource_type',
  'rfc7643-8.7.2-schema-schema',
  'rfc7643-8.7.2-schema-service_provider_configuration',
  // Two groups that are in each other: refused here, as section 3.7.1 allows (scim-examples.e2e.ts).
  'rfc7644-3.7.1-list_response-circular_reference',
]);
const DELETED = '01890000-0000-7000-8000-000000000000';

function filesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    process.stdout.write(
      `SKIPPED: no examples of the RFCs at ${folder}; set WAXELL_DATA to the folder of them.\n`,
    );
    return [];
  }
}

type Fields = Record<string, unknown>;
const example = (file: string): Fields =>
  JSON.parse(readFileSync(join(FOLDER, `${file}.json`), 'utf8')) as Fields;

/** Whose values are the service's own: that they are there is compared, not what they say. */
const OWN = new Set([
  'id',
  'created',
  'lastModified',
  'version',
  'location',
  '$ref',
  'detail',
  'description',
]);

function shape(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shape);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, OWN.has(name) ? typeof inner : shape(inner)]),
  );
}

interface Bulk extends Fields {
  readonly Operations: readonly Fields[];
}

describe.skipIf(EXAMPLES.length === 0)('the answers that RFC 7643 and 7644 show', () => {
  let scim: ScimClient;
  let bjensen: Resource;
  const fresh = async (): Promise<ScimClient> => (await createDirectory(app, await createTenant(app))).scim;

  beforeAll(async () => {
    scim = await fresh();
    bjensen = await mustScim(scim.post('/Users', example('rfc7644-3.3-user-post_request')), 201);
  });

  it.each(['rfc7644-3.3-user-post_response', 'rfc7644-3.14-user-post_response'])(
    'are given to who adds a person, with whether they are active: %s',
    (file) => {
      const { active, ...said } = bjensen;
      expect(active).toBe(true);
      // The second leaves out an attribute that was sent.
      expect(shape(said)).toEqual({ ...(shape(example(file)) as object), externalId: 'bjensen' });
    },
  );

  it('are given to who reads and who puts a person', async () => {
    const own = await fresh();
    const { id: _id, meta: _meta, ...known } = example('rfc7644-3.4.1-user-known-resource');
    const made = await mustScim(own.post('/Users', known), 201);
    const { active: _active, ...read } = await mustScim(own.get(`/Users/${made.id}`), 200);
    expect(shape(read)).toEqual(shape(example('rfc7644-3.4.1-user-known-resource')));
    const put = await mustScim(own.put(`/Users/${made.id}`, example('rfc7644-3.5.1-user-put_request')), 200);
    const { active: _still, ...replaced } = put;
    expect(shape(replaced)).toEqual(shape(example('rfc7644-3.5.1-user-put_response')));
  });

  it('have the attributes that were asked for', async () => {
    const partial = await mustScim(scim.get(`/Users/${bjensen.id}?attributes=userName`), 200);
    expect(shape(partial)).toEqual(shape(example('rfc7644-3.9-user-partial_response')));
    const own = await fresh();
    for (const userName of ['bjensen', 'jsmith'])
      await mustScim(own.post('/Users', person({ userName })), 201);
    const list = await mustScim(own.get<Fields>('/Users?attributes=userName'), 200);
    const theirs = shape(example('rfc7644-3.4.2-list_response-partial_attributes')) as {
      Resources: object[];
    };
    // "schemas" is always returned, how many there are may be.
    expect(shape(list)).toEqual({
      ...theirs,
      itemsPerPage: 2,
      startIndex: 1,
      Resources: theirs.Resources.map((one) => ({ schemas: [USER], ...one })),
    });
  });

  it('list what a search has found, people and groups', async () => {
    const own = await fresh();
    await mustScim(own.post('/Users', person({ userName: 'jsmith', displayName: 'Smith, James' })), 201);
    await mustScim(own.post('/Groups', group({ displayName: 'Smith Family' })), 201);
    const found = await mustScim(own.post<Fields>('/.search', example('rfc7644-3.4.3-search_request')), 200);
    const { Resources: found1, ...counts } = shape(found) as { Resources: Fields[] };
    const { Resources: theirs, ...theirCounts } = shape(
      example('rfc7644-3.4.3-list_response-post_query'),
    ) as {
      Resources: Fields[];
    };
    expect(found1.map(({ schemas: _schemas, ...one }) => one)).toEqual(theirs);
    // Theirs is a page of a hundred.
    expect(counts).toEqual({ ...theirCounts, totalResults: 2, itemsPerPage: 2 });
  });

  it('say what is wrong', async () => {
    const missing = await mustScim(scim.get<unknown>(`/Users/${DELETED}`), 404);
    for (const file of ['rfc7644-3.12-error-not_found', 'rfc7644-3.6-error-not_found'])
      expect(shape(missing)).toEqual(shape(example(file)));
    const own = { op: 'replace', path: 'id', value: DELETED };
    const refused = await mustScim(scim.patch<unknown>(`/Users/${bjensen.id}`, own), 400);
    expect(shape(refused)).toEqual(shape(example('rfc7644-3.12-error-bad_request')));
    const unreadable = await mustScim(scim.send<unknown>('POST', '/Bulk', '{"schemas":'), 400);
    expect(shape(unreadable)).toEqual(shape(example('rfc7644-3.7.3-error-invalid_syntax')));
    const large = await mustScim(scim.post<{ detail: string }>('/Bulk', { x: 'x'.repeat(1_048_576) }), 413);
    expect(shape(large)).toEqual(shape(example('rfc7644-3.7.4-error-payload_too_large')));
    expect(large.detail).toContain('1048576');
  });

  it('tell of each operation of a bulk request', async () => {
    const own = await fresh();
    const temporary = example('rfc7644-3.7.2-bulk_request-temporary_identifier');
    const added = await mustScim(own.post<Bulk>('/Bulk', temporary), 200);
    expect(shape(added)).toEqual(shape(example('rfc7644-3.7.2-bulk_response-temporary_identifier')));
    // Both examples add somebody of the same name.
    const others = await fresh();
    const people = await Promise.all(
      [1, 2, 3].map(() => mustScim(others.post('/Users', person({ nickName: 'x' })), 201)),
    );
    const asked = filled(example('rfc7644-3.7.3-bulk_request-multiple_operations') as Bulk, people);
    const done = await mustScim(others.post<Bulk>('/Bulk', asked), 200);
    expect(shape(done)).toEqual(shape(example('rfc7644-3.7.3-bulk_response-multiple_operations')));
    const locations = done.Operations.slice(1).map(({ location }) => location);
    expect(locations).toEqual(people.map(({ meta }) => meta.location));
    expect(await mustScim(others.get(`/Users/${people[1]?.id ?? ''}`), 200)).toMatchObject({
      userName: 'Dave',
    });
    // The versions are those of before, the last of them is gone, and what is to be added cannot be read.
    const Operations = asked.Operations.map((one) =>
      one['method'] === 'POST' ? { ...one, data: 'Alice' } : one,
    );
    const failed = await mustScim(others.post<Bulk>('/Bulk', { ...asked, Operations, failOnErrors: 5 }), 200);
    expect(shape(failed)).toEqual(shape(example('rfc7644-3.7.3-bulk_response-multiple_errors')));
    const ended = await mustScim(others.post<Bulk>('/Bulk', { ...asked, Operations }), 200);
    expect(shape(ended)).toEqual(shape(example('rfc7644-3.7.3-bulk_response-error_invalid_syntax')));
  });

  it('describe the service, and the types of resources', async () => {
    const theirs = shape(example('rfc7643-8.5-service_provider_configuration')) as Fields;
    const ours = shape(await mustScim(scim.get<Fields>('/ServiceProviderConfig'), 200)) as Fields;
    for (const name of ['schemas', 'patch', 'bulk', 'filter', 'sort', 'etag'])
      expect(ours[name]).toEqual(theirs[name]);
    // Passwords are not kept; Basic is not offered.
    expect(ours).toMatchObject({
      changePassword: { supported: false },
      authenticationSchemes: [{ type: 'oauthbearertoken' }],
    });
    const list = await mustScim(scim.get<{ Resources: Fields[] }>('/ResourceTypes'), 200);
    const inList = example('rfc7644-4-list_response-resource_types') as { Resources: Fields[] };
    expect(list).toMatchObject({ schemas: inList['schemas' as never], totalResults: 2, startIndex: 1 });
    for (const [at, name] of ['user', 'group'].entries()) {
      const one = await mustScim(
        scim.get<Fields>(`/ResourceTypes/${name === 'user' ? 'User' : 'Group'}`),
        200,
      );
      const expected = notRequired(shape(example(`rfc7643-8.6-resource_type-${name}`)) as Fields);
      expect(shape(one)).toEqual(expected);
      expect(list.Resources[at]).toEqual(one);
      expect(notRequired(shape(inList.Resources[at]) as Fields)).toEqual(expected);
    }
  });

  it('are all of those that there are, with the requests', () => {
    const tests = ['scim-examples', 'scim-rfc-answers'].map((name) =>
      readFileSync(`test/e2e/${name}.e2e.ts`, 'utf8'),
    );
    const named = (file: string): boolean =>
      tests.some((text) => text.includes(file)) || NOT_SERVED.has(file) || TEMPLATED.test(file);
    expect(EXAMPLES.map((file) => file.replace('.json', '')).filter((file) => !named(file))).toEqual([]);
  });
});

/** Named by a part of them. */
const TEMPLATED = /^rfc7643-8\.(?:6-resource_type|7\.1-schema)-(?:user|group|enterprise_user)$/;

/** The enterprise extension is nobody's duty here. */
function notRequired(type: Fields): Fields {
  const { schemaExtensions } = type as { schemaExtensions?: readonly object[] };
  return {
    ...type,
    ...(schemaExtensions && {
      schemaExtensions: schemaExtensions.map((one) => ({ ...one, required: false })),
    }),
  };
}

/** The example with people who are there, each in the version that they have. */
function filled(body: Bulk, people: readonly Resource[]): Bulk {
  let next = 0;
  const Operations = body.Operations.map((operation) => {
    if (operation['method'] === 'POST') return operation;
    const { id, meta } = people[next] ?? { id: '', meta: { version: '' } };
    next += 1;
    return { ...operation, path: `/Users/${id}`, version: meta.version };
  });
  return { ...body, Operations };
}
