import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { PolicyVersionDto } from '../../src/policies/policies.dto.js';
import { grant, idsIn, makeRole, personOf, type Furnished } from '../support/access.js';
import { client, must, refusal, type Client } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { agentIn, FREEZE, Policies } from '../support/policies.js';
import { sharedApplication } from '../support/shared-application.js';
import { steppedUp } from '../support/single-sign-on.js';
import { createTenant, signIn, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const DENIED = { status: 403, code: 'PERMISSION_DENIED' };

let acme: TestTenant;
let other: TestTenant;
let policies: Policies;

beforeAll(async () => {
  acme = await createTenant(app);
  other = await createTenant(app);
  policies = await Policies.of(app, acme);
});
beforeEach(() => policies.none());

describe('policies', () => {
  it('forbid what they forbid, where they forbid it, and are named with their version in the log', async () => {
    const change = (furnished: Furnished) =>
      acme.api.patch(`/v1/agents/${agentIn(furnished)}`, { name: 'x' });
    expect((await change(policies.live)).status).toBe(200);
    const version = await policies.inForce(FREEZE);
    const { status, body } = await change(policies.live);
    expect({ status, code: body.code }).toEqual(DENIED);
    expect(body.detail).toContain('A policy forbids agent:update here');
    expect(JSON.stringify(body)).not.toContain('environment');
    expect((await change(policies.tried)).status).toBe(200);
    expect((await acme.api.get(`/v1/agents/${agentIn(policies.live)}`)).status).toBe(200);
    const [event] = await acme.api.all<{ policies?: string[]; decision?: { id?: string } }>(
      '/v1/audit/events?action=agent.updated&outcome=denied',
    );
    expect(event?.policies).toEqual([`policy:freeze@${version}`]);
    expect(event?.decision?.id).toBe(body.access?.decisionId);
  });

  it('permit what their author has, to whom they say', async () => {
    const { person, api } = await personOf(app, acme, 'Member');
    const path = `/v1/agents/${agentIn(policies.live)}`;
    expect(await refusal(api.get(path))).toEqual(DENIED);
    await policies.inForce(
      `@id("guest") permit (principal == User::"${person.id}", action in [Action::"agent:read", Action::"run:read"], resource)
       when { resource.tags.contains("eu") };`,
    );
    expect((await api.get(path)).status).toBe(200);
    // The same for what is not there.
    for (const id of [agentIn(policies.tried), '01890000-0000-7000-8000-000000000000'])
      expect(await refusal(api.get(`/v1/agents/${id}`))).toEqual(DENIED);
    expect(await idsIn(api, '/v1/agents')).toEqual(policies.live.agents.map(({ id }) => id));
    expect(await refusal(api.get('/v1/projects'))).toEqual(DENIED);
  });

  it('look at where a request comes from', async () => {
    const mine = (network: string) =>
      `@id("office") forbid (principal in Role::"Viewer", action in [Action::"agent:read", Action::"agent:update"], resource)
       unless { ${network} };`;
    const local = `context.ip.isLoopback()`;
    await policies.inForce(mine(local));
    expect((await acme.api.get(`/v1/agents/${agentIn(policies.live)}`)).status).toBe(200);
    await policies.inForce(mine('context.ip.isInRange(ip("192.0.2.0/24"))'));
    expect(await refusal(acme.api.get(`/v1/agents/${agentIn(policies.live)}`))).toEqual(DENIED);
    expect(await refusal(acme.api.get('/v1/agents'))).toEqual(DENIED);
  });

  it('look at the groups that somebody is in', async () => {
    const { person, api } = await personOf(app, acme, 'Viewer');
    const { id } = await must(acme.api.post<{ id: string }>('/v1/groups', { displayName: 'interns' }), 201);
    await must(acme.api.patch(`/v1/groups/${id}/members`, { addPeople: [person.id] }), 200);
    await policies.inForce(
      `@id("interns") forbid (principal in Group::"${id}", action == Action::"run:read", resource);`,
    );
    expect(await refusal(api.get('/v1/runs'))).toEqual(DENIED);
    expect((await api.get('/v1/agents')).status).toBe(200);
    expect((await (await personOf(app, acme, 'Viewer')).api.get('/v1/runs')).status).toBe(200);
  });

  it('hold in their own organisation alone', async () => {
    await policies.inForce(`@id("none") forbid (principal, action == Action::"agent:read", resource);`);
    expect(await refusal(acme.api.get('/v1/agents'))).toEqual(DENIED);
    expect((await other.api.get('/v1/agents')).status).toBe(200);
    const { version } = await policies.write(FREEZE);
    expect(
      await refusal((await steppedUp(app, other)).get(`/v1/access/policies/${version + 1_000}`)),
    ).toEqual({
      status: 404,
      code: 'NOT_FOUND',
    });
  });

  it('follow labels within a second', async () => {
    await policies.inForce(FREEZE);
    const id = agentIn(policies.tried);
    const change = () => acme.api.patch(`/v1/agents/${id}`, { name: 'x' });
    expect((await change()).status).toBe(200);
    await must(acme.api.put(`/v1/agents/${id}/labels`, { environment: 'production', tags: [] }), 200);
    await eventually(async () => expect(await refusal(change())).toEqual(DENIED), 1_000);
    await must(acme.api.put(`/v1/agents/${id}/labels`, { environment: null, tags: [] }), 200);
    await eventually(async () => expect((await change()).status).toBe(200), 1_000);
  });
});

describe('activating', () => {
  it('needs the password proved again, and so a person', async () => {
    const { version } = await policies.write(FREEZE);
    const unproved = client(app.baseUrl, (await signIn(app, acme.slug, acme.owner)).accessToken);
    for (const change of [
      (v: number, api: Client) => policies.activate(v, api),
      (v: number, api: Client) => policies.goBack(v, api),
    ]) {
      expect(await refusal(change(version, unproved))).toEqual({ status: 403, code: 'STEP_UP_REQUIRED' });
      expect(await refusal(change(version, acme.api))).toEqual({
        status: 403,
        code: 'STEP_UP_NEEDS_SESSION',
      });
    }
  });

  it('is refused where no Owner could run the organisation any more', async () => {
    for (const text of [
      `@id("nobody") forbid (principal, action, resource);`,
      `@id("no-owners") forbid (principal in Role::"Owner", action == Action::"user:update", resource);`,
      `@id("elsewhere") forbid (principal, action == Action::"access_policy:activate", resource) unless { context.ip.isInRange(ip("192.0.2.0/24")) };`,
    ]) {
      const { version } = await policies.write(text);
      const { status, body } = await policies.activate(version);
      expect({ status, code: body.code }).toEqual({ status: 422, code: 'POLICIES_LOCK_OUT_OWNERS' });
      expect(body.detail).toMatch(/policy:(?:nobody|no-owners|elsewhere)@\d+ forbids/);
    }
    const { version } = await policies.write(
      `@id("some-owner") forbid (principal in Role::"Owner", action == Action::"user:update", resource)
       unless { principal == User::"${acme.owner.id}" || principal in User::"${acme.owner.id}" };`,
    );
    expect((await policies.activate(version)).status).toBe(200);
  });

  it('leaves an Owner the way back, whatever is in force', async () => {
    // Only what an Owner needs to run the organisation is left to them; reading agents is not.
    const version = await policies.inForce(`@id("dark") forbid (principal, action, resource)
      unless { action in [Action::"access_policy:manage", Action::"access_policy:activate", Action::"user:read",
        Action::"user:update", Action::"grant:manage", Action::"auth_settings:update"] };`);
    expect(await refusal(policies.owner.get('/v1/agents'))).toEqual(DENIED);
    expect((await policies.owner.get(`/v1/access/policies/${version}`)).status).toBe(200);
    const again = client(app.baseUrl, (await signIn(app, acme.slug, acme.owner)).accessToken);
    await must(again.post('/v1/auth/step-up', { password: acme.owner.password }), 200);
    expect((await policies.goBack(null, again)).status).toBe(200);
    await policies.heard(undefined);
    expect((await policies.owner.get('/v1/agents')).status).toBe(200);
  });

  it('goes back to what was in force before, and to nothing else', async () => {
    const first = await policies.inForce(FREEZE);
    const second = await policies.inForce(
      `@id("other") forbid (principal, action == Action::"agent:delete", resource);`,
    );
    const never = await policies.write(FREEZE);
    expect(await refusal(policies.goBack(never.version))).toEqual({ status: 422, code: 'NEVER_IN_FORCE' });
    expect(await refusal(policies.goBack(second))).toEqual({ status: 409, code: 'POLICIES_IN_FORCE' });
    await must(policies.goBack(first), 200);
    const { inForce: now } = await must(policies.owner.get<{ inForce?: number }>('/v1/access/policies'), 200);
    expect(now).toBe(first);
    expect(await refusal(policies.goBack(first + 1_000))).toEqual({ status: 404, code: 'NOT_FOUND' });
  });

  it('gives nobody more than whoever does it has', async () => {
    const { person, api } = await personOf(app, acme, 'Member');
    const role = await makeRole(acme.api, ['access_policy:manage', 'access_policy:activate', 'agent:read']);
    await grant(acme.api, '', person.id, { roleId: role.id });
    const mine = (actions: string) =>
      `@id("mine") permit (principal == User::"${person.id}", action in [${actions}], resource);`;
    const exceeds = { status: 403, code: 'GRANT_EXCEEDS_OWN' };
    const text = mine('Action::"agent:read", Action::"agent:delete"');
    expect(await refusal(api.post('/v1/access/policies', { text }))).toEqual(exceeds);
    const { version } = await policies.write(text);
    await must(api.post('/v1/auth/step-up', { password: person.password }), 200);
    expect(await refusal(policies.activate(version, api))).toEqual(exceeds);
    const own = await must(
      api.post<PolicyVersionDto>('/v1/access/policies', { text: mine('Action::"agent:read"') }),
      201,
    );
    expect((await policies.activate(own.version, api)).status).toBe(200);
  });
});

describe('whom a forbid binds', () => {
  const LIFTED = { status: 403, code: 'FORBID_LIFTED_FROM_SELF' };
  const forbid = (name: string, whom: string, more = '') =>
    `@id("${name}") forbid (${whom}, action == Action::"agent:delete", resource)${more};`;

  it('neither takes it away nor says it otherwise, and an Owner does', async () => {
    const { person, api } = await personOf(app, acme, 'Admin');
    await must(api.post('/v1/auth/step-up', { password: person.password }), 200);
    for (const [whom, when = ''] of [
      [`principal == User::"${person.id}"`],
      [`principal in Role::"Developer"`],
      ['principal is ApiKey'],
      ['principal', ' when { principal has mfaAt }'],
    ] as const) {
      const bound = forbid('bound', whom, when);
      const version = await policies.inForce(bound);
      expect(await refusal(policies.goBack(null, api))).toEqual(LIFTED);
      const other = await policies.write(forbid('other', 'principal in Role::"Viewer"'));
      expect(await refusal(policies.activate(other.version, api))).toEqual(LIFTED);
      const narrowed = await policies.write(forbid('bound', whom, ' when { context.weekday == 7 }'));
      expect(await refusal(policies.activate(narrowed.version, api))).toEqual(LIFTED);
      // What is left in as it is may be called otherwise, and stand beside others.
      const beside = await policies.write(
        `${bound.replace('@id("bound")', '@id("renamed")')}\n${forbid('more', 'principal')}`,
      );
      await must(policies.activate(beside.version, api), 200);
      await must(policies.goBack(version), 200);
      await must(policies.goBack(null), 200);
    }
  });

  it('is not whoever does it to others', async () => {
    const [{ person, api }, { person: bound }] = [
      await personOf(app, acme, 'Admin'),
      await personOf(app, acme, 'Developer'),
    ];
    await must(api.post('/v1/auth/step-up', { password: person.password }), 200);
    await policies.inForce(forbid('others', `principal == User::"${bound.id}"`));
    expect((await policies.goBack(null, api)).status).toBe(200);
  });
});
