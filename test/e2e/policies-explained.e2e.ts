import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ExplanationDto } from '../../src/policies/explain.dto.js';
import type { DryRunResultDto } from '../../src/policies/policies.dto.js';
import { furnished, grant, makeRole, personOf } from '../support/access.js';
import { client, must, refusal, type Client } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { eventually } from '../support/eventually.js';
import { createClient, tokenOf } from '../support/oauth.js';
import { agentIn, FREEZE, Policies, PRODUCTION } from '../support/policies.js';
import { sharedApplication } from '../support/shared-application.js';
import { createApiKey, createTenant, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const DENIED = { status: 403, code: 'PERMISSION_DENIED' };
const INVALID = { status: 400, code: 'INVALID_REQUEST' };

let acme: TestTenant;
let other: TestTenant;
let policies: Policies;

beforeAll(async () => {
  acme = await createTenant(app);
  other = await createTenant(app);
  policies = await Policies.of(app, acme);
});
beforeEach(() => policies.none());

describe('a dry run', () => {
  it('says which of the last decisions would have been others, and changes nothing', async () => {
    const { person, api } = await personOf(app, acme, 'Developer');
    await must(api.patch(`/v1/agents/${agentIn(policies.live)}`, { name: 'before' }), 200);
    await must(api.patch(`/v1/agents/${agentIn(policies.tried)}`, { name: 'before' }), 200);
    const { version } = await policies.write(FREEZE);
    const path = `/v1/access/policies/${version}/dry-run`;
    const result = await must(acme.api.post<DryRunResultDto>(path, { last: 100 }), 200);
    const mine = result.changed.filter(({ actor }) => actor === person.id);
    expect(mine).toEqual([
      expect.objectContaining({
        permission: 'agent:update',
        resource: `agent ${agentIn(policies.live)}`,
        before: 'allowed',
        after: 'denied',
        policies: [`policy:freeze@${version}`],
      }),
    ]);
    expect(result.looked).toBeGreaterThan(1);
    expect((await api.patch(`/v1/agents/${agentIn(policies.live)}`, { name: 'after' })).status).toBe(200);
    expect(await refusal(acme.api.post(path, { last: 1_001 }))).toEqual(INVALID);
  });
});

describe('a dry run of what no session has asked', () => {
  const dryRun = async (text: string, api: Client = acme.api): Promise<DryRunResultDto> => {
    const { version } = await policies.write(text);
    return must(api.post<DryRunResultDto>(`/v1/access/policies/${version}/dry-run`, { last: 300 }), 200);
  };
  const changedOf = ({ changed }: DryRunResultDto, id: string) =>
    changed
      .filter(({ actor }) => actor === id)
      .map(({ seq: _s, at: _a, actor: _w, policies: _p, ...rest }) => rest);

  it('takes keys within their scopes, clients, and lists by the rows that they have', async () => {
    const { api } = await personOf(app, acme, 'Developer');
    const key = await createApiKey(api, ['agent:read']);
    const one = await createClient(acme.api);
    const machine = client(app.baseUrl, await tokenOf(app.baseUrl, one));
    const path = `/v1/agents/${agentIn(policies.live)}`;
    const byKey = client(app.baseUrl, key.key);
    expect(await refusal(byKey.patch(path, { name: 'x' }))).toEqual(DENIED);
    await must(byKey.get('/v1/agents'), 200);
    await must(machine.get('/v1/projects'), 200);
    await must(machine.patch(path, { name: 'by a machine' }), 200);
    const frozen = await dryRun(FREEZE);
    // Its scopes refuse it before and after.
    expect(changedOf(frozen, key.id)).toEqual([]);
    const on = { resource: `agent ${agentIn(policies.live)}` };
    expect(changedOf(frozen, one.id)).toEqual([
      { permission: 'agent:update', ...on, before: 'allowed', after: 'denied' },
    ]);
    const hidden = `@id("hidden") forbid (principal, action in [Action::"agent:read", Action::"project:read"], resource)`;
    const fewer = await dryRun(`${hidden} when { ${PRODUCTION} };`);
    expect(changedOf(fewer, key.id)).toEqual([
      { permission: 'agent:read', before: 'allowed', after: 'other_rows' },
    ]);
    expect(changedOf(fewer, one.id)).toEqual([
      { permission: 'project:read', before: 'allowed', after: 'other_rows' },
    ]);
    expect(changedOf(await dryRun(`${hidden};`), key.id)).toEqual([
      { permission: 'agent:read', before: 'allowed', after: 'denied' },
    ]);
  });

  it('says apart why what cannot be made again', async () => {
    const [gone, asked] = [await createClient(acme.api), await personOf(app, acme, 'Developer')];
    const machine = client(app.baseUrl, await tokenOf(app.baseUrl, gone));
    await must(machine.get(`/v1/agents/${agentIn(policies.tried)}`), 200);
    await must(acme.api.delete(`/v1/oauth-clients/${gone.id}`), 204);
    const nobodys = '01890000-0000-7000-8000-000000000000';
    expect(await refusal(asked.api.get(`/v1/agents/${nobodys}`))).toMatchObject({ status: 404 });
    await must(asked.api.get(`/v1/agents/${agentIn(policies.tried)}`), 200);
    const careful = `@id("proved") forbid (principal == User::"${asked.person.id}", action, resource)
      unless { principal has mfaAt };`;
    const { skipped, skippedBecause, looked } = await dryRun(careful);
    expect(skippedBecause.principalGone).toBeGreaterThanOrEqual(1);
    expect(skippedBecause.resourceGone).toBeGreaterThanOrEqual(1);
    expect(skippedBecause.secondFactor).toBeGreaterThanOrEqual(1);
    expect(Object.values(skippedBecause).reduce((sum, count) => sum + count, 0)).toBe(skipped);
    expect(looked).toBeGreaterThan(0);
  });

  it('is for who may read the log', async () => {
    const { person, api } = await personOf(app, acme, 'Member');
    const role = await makeRole(acme.api, ['access_policy:manage']);
    await grant(acme.api, '', person.id, { roleId: role.id });
    const { version } = await policies.write(FREEZE);
    const path = `/v1/access/policies/${version}/dry-run`;
    await eventually(async () => {
      const { status, body } = await api.post(path, {});
      expect({ status, permission: body.access?.permission }).toEqual({
        status: 403,
        permission: 'audit:read',
      });
    }, 1_000);
  });
});

describe('an explanation', () => {
  const explain = (api: Client, body: object): Promise<ExplanationDto> =>
    must(api.post<ExplanationDto>('/v1/access/explain', body), 200);

  it('names what decided, and what was close but for one thing', async () => {
    const version = await policies.inForce(FREEZE);
    const { person, api } = await personOf(app, acme, 'Viewer');
    const resource = { type: 'agent', id: agentIn(policies.live) };
    expect(await explain(acme.api, { permission: 'agent:update', resource })).toMatchObject({
      allowed: false,
      policies: [`policy:freeze@${version}`],
      close: expect.arrayContaining([{ policy: 'developer-builds', butFor: 'forbidden' }]) as unknown,
    });
    const held = await grant(acme.api, `projects/${policies.tried.project.id}/`, person.id, {
      role: 'Developer',
    });
    const asked = { permission: 'agent:publish', resource };
    const expected = {
      allowed: false,
      version,
      policies: [],
      role: 'Developer',
      close: [
        { policy: 'developer-builds', butFor: 'principal' },
        { policy: `grant:${held.id}`, butFor: 'resource' },
      ],
    };
    expect(await explain(api, asked)).toEqual(expected);
    expect(await explain(acme.api, { ...asked, userId: person.id })).toEqual(expected);
  });

  it('tells of other times, addresses and factors', async () => {
    await policies.inForce(
      `@id("careful") forbid (principal, action == Action::"agent:delete", resource)
       unless { context.ip.isInRange(ip("192.0.2.0/24")) && context.weekday <= 5 && principal has mfaAt
         && context.now.durationSince(principal.mfaAt) < duration("10m") };`,
    );
    const asked = { permission: 'agent:delete', ip: '192.0.2.7', at: '2026-11-30T10:00:00Z' };
    const mfaAt = '2026-11-30T09:55:00Z';
    const allowed = async (more: object) =>
      (await explain(policies.owner, { ...asked, mfaAt, ...more })).allowed;
    expect(await allowed({})).toBe(true);
    expect(await allowed({ ip: '198.51.100.1' })).toBe(false);
    expect(await allowed({ at: '2026-11-29T10:00:00Z' })).toBe(false);
    expect(await allowed({ mfaAt: '2026-11-30T09:45:00Z' })).toBe(false);
  });

  it('of keys and clients is for who looks after them, within their scopes', async () => {
    const { person, api } = await personOf(app, acme, 'Developer');
    const key = await createApiKey(api, ['agent:read']);
    const one = await createClient(acme.api, { scopes: ['agent:read'] });
    for (const who of [{ apiKeyId: key.id }, { clientId: one.id }]) {
      expect((await explain(acme.api, { permission: 'agent:read', ...who })).allowed).toBe(true);
      expect((await explain(acme.api, { permission: 'agent:update', ...who })).allowed).toBe(false);
      expect(await refusal(api.post('/v1/access/explain', { permission: 'agent:read', ...who }))).toEqual(
        DENIED,
      );
      const stranger = other.api.post('/v1/access/explain', { permission: 'agent:read', ...who });
      expect(await refusal(stranger)).toEqual({ status: 404, code: 'NOT_FOUND' });
    }
    const itself = await createApiKey(api, ['profile:read']);
    const own = client(app.baseUrl, itself.key);
    expect((await explain(own, { permission: 'agent:read', apiKeyId: itself.id })).allowed).toBe(false);
    const two = { permission: 'agent:read', apiKeyId: key.id, userId: person.id };
    expect(await refusal(acme.api.post('/v1/access/explain', two))).toEqual(INVALID);
  });

  it('says that somebody holds more grants than are looked at', async () => {
    const { person } = await personOf(app, acme, 'Member');
    const asked = { permission: 'agent:read', userId: person.id };
    const held = (count: number) =>
      asSuperuser(app.home, 'us-east-1', (database) =>
        database.query(
          `INSERT INTO "${acme.id}".role_grants (id, user_id, role, resource_type, resource_id, created_by)
            SELECT gen_random_uuid(), $1, 'Viewer', 'agent', gen_random_uuid()::text, 'test' FROM generate_series(1, $2::int)`,
          [person.id, count],
        ),
      );
    await held(500);
    expect(await explain(acme.api, asked)).not.toHaveProperty('grantsLeftOut');
    await held(1);
    expect(await explain(acme.api, asked)).toMatchObject({ grantsLeftOut: true });
  });

  it('of others is for who may read people, and tells nobody of what they may not read', async () => {
    const { api } = await personOf(app, acme, 'Viewer');
    const about = { permission: 'agent:read', userId: acme.owner.id };
    expect(await refusal(api.post('/v1/access/explain', about))).toEqual(DENIED);
    const member = await personOf(app, acme, 'Member');
    const unseen = { permission: 'agent:read', resource: { type: 'agent', id: agentIn(policies.live) } };
    const notFound = { status: 404, code: 'NOT_FOUND' };
    expect(await refusal(member.api.post('/v1/access/explain', unseen))).toEqual(notFound);
    const foreign = { ...unseen, resource: { type: 'agent', id: agentIn(await furnished(other.api, 1)) } };
    expect(await refusal(acme.api.post('/v1/access/explain', foreign))).toEqual(notFound);
    const stranger = { permission: 'agent:read', userId: other.owner.id };
    expect(await refusal(acme.api.post('/v1/access/explain', stranger))).toEqual(notFound);
  });
});
