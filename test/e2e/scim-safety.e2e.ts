import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { AlertDto } from '../../src/alerts/alerts.dto.js';
import { must } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import {
  createDirectory,
  group,
  mustScim,
  ownerOf,
  person,
  scimRefusal,
  USER,
  type Resource,
  type ScimList,
} from '../support/scim.js';
import { sharedApplication } from '../support/shared-application.js';
import { createTenant, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
let acme: TestTenant;

beforeAll(async () => {
  acme = await createTenant(app);
});

const deactivate = { op: 'replace', value: { active: false } };

describe('a dry run', () => {
  const DRY = { 'x-waxell-dry-run': 'true' };
  type Tried = Resource & { status: string; response: Resource; changes: Record<string, unknown> };

  it('answers what would be changed, and changes nothing', async () => {
    const { id, scim } = await createDirectory(app, acme);
    const dry = scim.with(DRY);
    const body = person();
    const tried = await mustScim(dry.post<Tried>('/Users', body), 200);
    expect(tried).toMatchObject({ status: '201', response: { userName: body.userName } });
    expect(await scim.find('Users', `userName eq "${body.userName}"`)).toEqual([]);
    const made = await mustScim(scim.post('/Users', body), 201);
    const path = `/Users/${made.id}`;
    expect(await mustScim(dry.patch<Tried>(path, deactivate), 200)).toMatchObject({
      status: '200',
      changes: { active: false },
      response: { active: false },
    });
    expect(await mustScim(dry.send<Tried>('DELETE', path), 200)).toMatchObject({ status: '204' });
    expect(await mustScim(scim.get(path), 200)).toEqual(made);
    const team = await mustScim(scim.post('/Groups', group()), 201);
    const members = { op: 'add', path: 'members', value: [{ value: made.id }] };
    expect(await mustScim(dry.patch<Tried>(`/Groups/${team.id}`, members), 200)).toMatchObject({
      status: '204',
      changes: { added: { count: 1, ids: [made.id] } },
    });
    expect(await mustScim(scim.get(`/Groups/${team.id}`), 200)).toEqual(team);
    // Refusals are those of the real thing.
    expect(await scimRefusal(dry.post('/Users', body))).toEqual({ status: 409, scimType: 'uniqueness' });
    const events = await acme.api.all<Record<string, unknown>>(
      `/v1/audit/events?actor=${id}&action=scim.tried`,
    );
    expect(events).toHaveLength(4);
  });

  it.each(['True', 'TRUE', ' true '])('is what %j says, too', async (said) => {
    const { scim } = await createDirectory(app, acme);
    const body = person();
    await mustScim(scim.with({ 'x-waxell-dry-run': said }).post('/Users', body), 200);
    expect(await scim.find('Users', `userName eq "${body.userName}"`)).toEqual([]);
  });

  it.each(['1', 'yes', '', 'true, true', 'wahr'])(
    'asked for as %j is refused, and nothing is done',
    async (said) => {
      const { scim } = await createDirectory(app, acme);
      const body = person();
      const made = await mustScim(scim.post('/Users', person()), 201);
      const odd = scim.with({ 'x-waxell-dry-run': said });
      const refused = { status: 400, scimType: 'invalidValue' };
      expect(await scimRefusal(odd.post('/Users', body))).toEqual(refused);
      expect(await scimRefusal(odd.delete(`/Users/${made.id}`))).toEqual(refused);
      expect(await scimRefusal(odd.post('/Bulk', {}))).toEqual(refused);
      expect(await scim.find('Users', `userName eq "${body.userName}"`)).toEqual([]);
      expect(await mustScim(scim.get(`/Users/${made.id}`), 200)).toEqual(made);
    },
  );

  it('said to be none is the real thing', async () => {
    const { scim } = await createDirectory(app, acme);
    const made = await mustScim(scim.with({ 'x-waxell-dry-run': 'False' }).post('/Users', person()), 201);
    expect(await mustScim(scim.get(`/Users/${made.id}`), 200)).toEqual(made);
  });
});

describe('a change of members that is refused', () => {
  it('changes none of them: of a group that is not there or is another version, or with somebody who is not there', async () => {
    const { scim } = await createDirectory(app, acme);
    const [inside, outside] = [
      await mustScim(scim.post('/Users', person()), 201),
      await mustScim(scim.post('/Users', person()), 201),
    ];
    const other = await mustScim((await createDirectory(app, acme)).scim.post('/Users', person()), 201);
    const members = [{ value: inside.id }];
    const team = await mustScim(scim.post('/Groups', group({ members })), 201);
    const path = `/Groups/${team.id}`;
    const add = (...ids: readonly string[]) => ({
      op: 'add',
      path: 'members',
      value: ids.map((value) => ({ value })),
    });
    const remove = { op: 'remove', path: `members[value eq "${inside.id}"]` };
    const stale = scim.with({ 'if-match': 'W/"999"' });
    for (const change of [add(outside.id), remove]) {
      expect(await scimRefusal(stale.patch(path, change))).toMatchObject({ status: 412 });
      const nowhere = `/Groups/${outside.id}`;
      expect(await scimRefusal(scim.patch(nowhere, change))).toMatchObject({ status: 404 });
    }
    for (const missing of [other.id, randomUUID(), acme.owner.id])
      expect(await scimRefusal(scim.patch(path, add(outside.id, missing)))).toEqual({
        status: 400,
        scimType: 'invalidValue',
      });
    expect(await mustScim(scim.get(path), 200)).toEqual(team);
  });
});

it('many people taken away by one directory raise an alert, and each of them is away at once', async () => {
  const tenant = await createTenant(app);
  const { id, scim } = await createDirectory(app, tenant);
  const made = await Promise.all(
    Array.from({ length: 12 }, () => mustScim(scim.post('/Users', person()), 201)),
  );
  for (const one of made) {
    await mustScim(scim.patch(`/Users/${one.id}`, deactivate), 200);
    expect(await mustScim(scim.get(`/Users/${one.id}`), 200)).toMatchObject({ active: false });
  }
  const alert = await eventually(async () => {
    const alerts = await tenant.api.all<AlertDto>('/v1/alerts');
    const found = alerts.find(({ rule }) => rule === 'provisioning.mass_removal');
    if (!found) throw new Error('No alert yet.');
    return found;
  }, 20_000);
  expect(alert).toMatchObject({ severity: 'P2', details: { directory: id } });
});

it('a group that has a role and is emptied raises an alert, and its people have lost the role at once', async () => {
  const tenant = await createTenant(app);
  const { id, scim } = await createDirectory(app, tenant, { defaultRole: 'Member' });
  const made = await Promise.all(
    Array.from({ length: 11 }, () => mustScim(scim.post('/Users', person()), 201)),
  );
  const members = made.map((one) => ({ value: one.id }));
  const [plain, team] = await Promise.all([
    mustScim(scim.post('/Groups', group({ members })), 201),
    mustScim(scim.post('/Groups', group({ members })), 201),
  ]);
  const grant = { principal: { type: 'group', id: team.id }, role: 'Developer' };
  await must((await ownerOf(app, tenant)).post('/v1/grants', grant), 201);
  await mustScim(scim.delete(`/Groups/${plain.id}`), 204);
  await mustScim(scim.patch(`/Groups/${team.id}`, { op: 'replace', path: 'members', value: [] }), 204);
  expect(await mustScim(scim.get(`/Groups/${team.id}`), 200)).not.toHaveProperty('members');
  const events = await tenant.api.all<{ changes?: Record<string, unknown> }>(`/v1/audit/events?actor=${id}`);
  expect(events.map(({ changes }) => changes?.['lostRoles']).filter((lost) => lost !== undefined)).toEqual([
    11,
  ]);
  const alert = await eventually(async () => {
    const alerts = await tenant.api.all<AlertDto>('/v1/alerts');
    const found = alerts.find(({ rule }) => rule === 'provisioning.mass_removal');
    if (!found) throw new Error('No alert yet.');
    return found;
  }, 20_000);
  expect(alert).toMatchObject({ severity: 'P2', details: { directory: id, removed: 11 } });
});

it('fuzzed filters, paths and values are answered or refused as SCIM refuses, and never as a fault', async () => {
  const { scim } = await createDirectory(app, acme);
  const made = await mustScim(scim.post('/Users', person()), 201);
  const team = await mustScim(scim.post('/Groups', group()), 201);
  const words = [
    'userName',
    'emails',
    'members',
    'meta.created',
    'eq',
    'co',
    'pr',
    'and',
    'not',
    '(',
    '[',
    ']',
    '"',
    '"x"',
    '\\',
    '%',
    '_',
    "'",
    ';',
    '--',
    '1e999',
    '\u0000',
    '\ud800',
    '😀',
    'null',
    '$1',
    '::uuid',
    'a'.repeat(300),
  ];
  let seed = 7;
  const pick = <T>(from: readonly T[]): T => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return from[seed % from.length] as T;
  };
  const text = (): string => Array.from({ length: 1 + (seed % 9) }, () => pick(words)).join(pick(['', ' ']));
  const value = (depth = 0): unknown =>
    pick([
      text(),
      null,
      true,
      1,
      '',
      [],
      {},
      ...(depth < 3 ? [[value(depth + 1)], { [text()]: value(depth + 1), value: text() }] : []),
    ]);
  const statuses = new Set<number>();
  for (let round = 0; round < 150; round += 1) {
    const kind = pick(['Users', 'Groups']);
    const id = kind === 'Users' ? made.id : team.id;
    const query = `filter=${encodeURIComponent(text().toWellFormed())}&sortBy=${encodeURIComponent(text().toWellFormed())}&attributes=${encodeURIComponent(text().toWellFormed())}`;
    const replies = await Promise.all([
      scim.get<ScimList>(`/${kind}?${query}`),
      scim.get<ScimList>(`/${kind}?filter=${encodeURIComponent(text().toWellFormed())}`),
      scim.patch(`/${kind}/${id}`, { op: pick(['add', 'replace', 'remove']), path: text(), value: value() }),
      scim.patch(`/${kind}/${id}`, { op: pick(['add', 'replace']), value: value() }),
      scim.post(`/${kind}`, { schemas: [USER], userName: value(), [text()]: value(), emails: value() }),
      scim.post('/Bulk', {
        schemas: ['urn:ietf:params:scim:api:messages:2.0:BulkRequest'],
        Operations: [value(), { method: 'POST', path: text(), bulkId: 'x', data: value() }],
      }),
    ]);
    for (const { status } of replies) statuses.add(status);
  }
  expect([...statuses].filter((status) => status >= 500)).toEqual([]);
  expect(statuses.has(400)).toBe(true);
});
