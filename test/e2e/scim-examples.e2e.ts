import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  createDirectory,
  ENTERPRISE,
  group,
  mustScim,
  person,
  ScimClient,
  type ScimList,
} from '../support/scim.js';
import { sharedApplication } from '../support/shared-application.js';
import { createTenant } from '../support/tenants.js';

const app = sharedApplication();
let scim: ScimClient;

beforeAll(async () => {
  scim = (await createDirectory(app, await createTenant(app))).scim;
});

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
const FOLDER = join(process.env['WAXELL_DATA'] ?? '../shared/data', 'scim');
const EXAMPLES = filesOf(FOLDER);

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

const example = (file: string): Record<string, unknown> & { schemas: string[] } =>
  JSON.parse(readFileSync(join(FOLDER, `${file}.json`), 'utf8')) as never;

describe.skipIf(EXAMPLES.length === 0)('the examples of RFC 7643 and 7644', () => {
  /** Each in a directory of its own: they add the same people. */
  const fresh = async (): Promise<ScimClient> => (await createDirectory(app, await createTenant(app))).scim;

  it.each([
    'rfc7643-8.1-user-minimal',
    'rfc7643-8.2-user-full',
    'rfc7643-8.3-enterprise_user',
    'rfc7644-3.3-user-post_request',
    'rfc7644-3.14-user-post_request',
  ])('%s is added, and read as it was sent but for what is the service’s to say', async (file) => {
    const own = await fresh();
    const { id: _id, meta: _meta, groups: _groups, password: _password, ...said } = example(file);
    const made = await mustScim(own.post('/Users', example(file)), 201);
    const { id, meta, groups, active, ...kept } = await mustScim(own.get(`/Users/${made.id}`), 200);
    const manager = (said[ENTERPRISE] as { manager?: { displayName?: string } } | undefined)?.manager;
    delete manager?.displayName;
    const { active: _active, ...expected } = said;
    expect(kept).toEqual(expected);
    expect({ id: typeof id, groups, active }).toEqual({ id: 'string', groups: undefined, active: true });
    expect(meta).toMatchObject({ resourceType: 'User' });
  });

  it('of PATCH come to what they say', async () => {
    const own = await fresh();
    const made = await mustScim(own.post('/Users', example('rfc7643-8.2-user-full')), 201);
    const patched = (file: string) => mustScim(own.send('PATCH', `/Users/${made.id}`, example(file)), 200);
    expect(await patched('rfc7644-3.5.2.1-patch_op-add_emails')).toMatchObject({ nickName: 'Babs' });
    expect((await patched('rfc7644-3.5.2.2-patch_op-remove_multi_complex_value'))['emails']).toEqual([
      { value: 'babs@jensen.org', type: 'home' },
    ]);
    expect((await patched('rfc7644-3.5.2.3-patch_op-replace_all_email_values'))['emails']).toEqual([
      { value: 'bjensen@example.com', type: 'work', primary: true },
      { value: 'babs@jensen.org', type: 'home' },
    ]);
    expect((await patched('rfc7644-3.5.2.3-patch_op-replace_street_address'))['addresses']).toMatchObject([
      { type: 'work', streetAddress: '1010 Broadway Ave' },
      { type: 'home' },
    ]);
    expect((await patched('rfc7644-3.5.2.3-patch_op-replace_user_work_address'))['addresses']).toMatchObject([
      { type: 'work', streetAddress: '911 Universal City Plaza' },
      { type: 'home' },
    ]);
    const { id: _id, ...put } = example('rfc7644-3.5.1-user-put_request');
    const replaced = await mustScim(own.put(`/Users/${made.id}`, put), 200);
    expect(replaced).toMatchObject({
      name: { middleName: 'Jane' },
      emails: [{ value: 'bjensen@example.com' }, { value: 'babs@jensen.org' }],
    });
    expect(replaced).not.toHaveProperty('addresses');
  });

  it('of groups come to what they say, with people who are there in the place of theirs', async () => {
    const own = await fresh();
    const a = await mustScim(own.post('/Users', person()), 201);
    const b = await mustScim(own.post('/Users', person()), 201);
    const filled = (file: string): unknown =>
      JSON.parse(
        JSON.stringify(example(file))
          .replaceAll(/2819c223[-0-9a-f.]*/g, a.id)
          .replaceAll(/08e1d05d[-0-9a-f.]*/g, b.id)
          .replaceAll(/902c246b[-0-9a-f.]*/g, b.id),
      ) as unknown;
    const made = await mustScim(own.post('/Groups', filled('rfc7643-8.4-group')), 201);
    expect(made).toMatchObject({ displayName: 'Tour Guides' });
    const members = async (): Promise<string[]> =>
      (
        ((await mustScim(own.get(`/Groups/${made.id}`), 200))['members'] as
          { value: string }[] | undefined) ?? []
      ).map(({ value }) => value);
    expect(await members()).toEqual([a.id, b.id].toSorted());
    const patch = (file: string) => mustScim(own.send('PATCH', `/Groups/${made.id}`, filled(file)), 204);
    await patch('rfc7644-3.5.2.2-patch_op-remove_one_member');
    expect(await members()).toEqual([b.id]);
    await patch('rfc7644-3.5.2.1-patch_op-add_members');
    expect(await members()).toEqual([a.id, b.id].toSorted());
    await patch('rfc7644-3.5.2.2-patch_op-remove_all_members');
    expect(await members()).toEqual([]);
    await patch('rfc7644-3.5.2.3-patch_op-replace_all_members');
    expect(await members()).toEqual([a.id, b.id].toSorted());
    await patch('rfc7644-3.5.2.2-patch_op-remove_and_add_one_member');
    expect(await members()).toEqual([b.id]);
  });

  it.each(['rfc7644-3.7.2-bulk_request-temporary_identifier', 'rfc7644-3.7.2-bulk_request-enterprise_user'])(
    '%s adds both, and the one refers to the other',
    async (file) => {
      const own = await fresh();
      const { Operations } = await mustScim(own.post<BulkReply>('/Bulk', example(file)), 200);
      expect(Operations).toMatchObject([
        { method: 'POST', bulkId: 'qwerty', status: '201' },
        { method: 'POST', bulkId: 'ytrewq', status: '201' },
      ]);
      for (const { location, version } of Operations) {
        const { meta } = await mustScim(own.get(location?.split('/scim/v2')[1] ?? ''), 200);
        expect(meta.version).toBe(version);
      }
    },
  );

  it('of a bulk request whose resources are not there answer for each what it came to', async () => {
    const own = await fresh();
    const body = example('rfc7644-3.7.3-bulk_request-multiple_operations');
    const all = await mustScim(own.post<BulkReply>('/Bulk', { ...body, failOnErrors: 10 }), 200);
    expect(all.Operations.map(({ status }) => status)).toEqual(['201', '404', '404', '404']);
    const again = await mustScim(own.post<BulkReply>('/Bulk', body), 200);
    expect(again.Operations.map(({ status }) => status)).toEqual(['409']);
    const circular = await mustScim(
      own.post<BulkReply>('/Bulk', example('rfc7644-3.7.1-bulk_request-circular_conflict')),
      200,
    );
    expect(circular.Operations.map(({ status }) => status)).toEqual(['409', '409']);
  });

  it('of a search finds people and groups', async () => {
    const own = await fresh();
    await mustScim(own.post('/Users', person({ displayName: 'Smith, James' })), 201);
    await mustScim(own.post('/Groups', group({ displayName: 'Smith Family' })), 201);
    const found = await mustScim(
      own.post<ScimList>('/.search', example('rfc7644-3.4.3-search_request')),
      200,
    );
    expect(found).toMatchObject({ totalResults: 2, startIndex: 1 });
    expect(found.Resources.map(({ displayName }) => displayName)).toEqual(['Smith, James', 'Smith Family']);
  });

  it.each(['user', 'enterprise_user', 'group'])(
    'of the schema of %s has each attribute that ours has, with its type',
    async (name) => {
      type Described = { name: string; type: string; multiValued: boolean; subAttributes?: Described[] };
      const theirs = example(`rfc7643-8.7.1-schema-${name}`) as unknown as {
        id: string;
        attributes: Described[];
      };
      const ours = await mustScim(scim.get<{ attributes: Described[] }>(`/Schemas/${theirs.id}`), 200);
      const told = (attributes: Described[], prefix = ''): string[] =>
        attributes.flatMap(({ name: own, type, multiValued, subAttributes = [] }) => [
          `${prefix}${own} ${type} ${multiValued}`,
          ...told(subAttributes, `${prefix}${own}.`),
        ]);
      const known = new Set(told(ours.attributes));
      expect(told(theirs.attributes).filter((line) => !known.has(line))).toEqual([]);
    },
  );
});
