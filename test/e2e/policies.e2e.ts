import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { DryRunResultDto, PolicyVersionDto } from '../../src/policies/policies.dto.js';
import type { ExplanationDto } from '../../src/policies/explain.dto.js';
import { furnished, grant, idsIn, makeRole, personOf, type Furnished } from '../support/access.js';
import { asSuperuser } from '../support/embedded-database.js';
import { createClient, tokenOf } from '../support/oauth.js';
import { client, must, refusal, type Client } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { sharedApplication } from '../support/shared-application.js';
import { steppedUp } from '../support/single-sign-on.js';
import { createApiKey, createTenant, signIn, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const DENIED = { status: 403, code: 'PERMISSION_DENIED' };
const INVALID = { status: 400, code: 'INVALID_REQUEST' };
const PRODUCTION = `resource has environment && resource.environment == "production"`;
const FREEZE = `@id("freeze")
forbid (principal, action in [Action::"agent:update", Action::"agent:delete"], resource)
when { ${PRODUCTION} };`;

let acme: TestTenant;
let other: TestTenant;
let owner: Client;
let live: Furnished;
let tried: Furnished;

beforeAll(async () => {
  acme = await createTenant(app);
  other = await createTenant(app);
  owner = await steppedUp(app, acme);
  live = await furnished(acme.api, 2);
  tried = await furnished(acme.api, 1);
  await must(
    acme.api.put(`/v1/projects/${live.project.id}/labels`, { environment: 'production', tags: ['eu'] }),
    200,
  );
});

const write = (text: string, api = owner): Promise<PolicyVersionDto> =>
  must(api.post<PolicyVersionDto>('/v1/access/policies', { text }), 201);
const activate = (version: number, api = owner) => api.post(`/v1/access/policies/${version}/activate`);
const goBack = (version: number | null, api = owner) => api.post('/v1/access/policies/rollback', { version });
const agentIn = ({ agents: [first] }: Furnished): string => first?.id ?? '';

/** Puts a text in force; back to none before the next test. */
async function inForce(text: string): Promise<number> {
  const { version } = await write(text);
  await must(activate(version), 200);
  await heard(version);
  return version;
}

/** Until the process has heard which version is in force; that it does within a second is what is promised. */
async function heard(version: number | undefined): Promise<void> {
  const asked = { permission: 'profile:read' };
  await eventually(async () => {
    const answer = await must(owner.post<ExplanationDto>('/v1/access/explain', asked), 200);
    expect(answer.version).toBe(version);
  }, 1_000);
}

beforeEach(async () => {
  const { status, body } = await goBack(null);
  if (status !== 200 && status !== 409) throw new Error(JSON.stringify(body));
  await heard(undefined);
});

describe('policies', () => {
  it('forbid what they forbid, where they forbid it, and are named with their version in the log', async () => {
    const change = (furnished: Furnished) =>
      acme.api.patch(`/v1/agents/${agentIn(furnished)}`, { name: 'x' });
    expect((await change(live)).status).toBe(200);
    const version = await inForce(FREEZE);
    const { status, body } = await change(live);
    expect({ status, code: body.code }).toEqual(DENIED);
    expect(body.detail).toContain('A policy forbids agent:update here');
    expect(JSON.stringify(body)).not.toContain('environment');
    expect((await change(tried)).status).toBe(200);
    expect((await acme.api.get(`/v1/agents/${agentIn(live)}`)).status).toBe(200);
    const [event] = await acme.api.all<{ policies?: string[]; decision?: { id?: string } }>(
      '/v1/audit/events?action=agent.updated&outcome=denied',
    );
    expect(event?.policies).toEqual([`policy:freeze@${version}`]);
    expect(event?.decision?.id).toBe(body.access?.decisionId);
  });

  it('permit what their author has, to whom they say', async () => {
    const { person, api } = await personOf(app, acme, 'Member');
    const path = `/v1/agents/${agentIn(live)}`;
    expect(await refusal(api.get(path))).toEqual(DENIED);
    await inForce(
      `@id("guest") permit (principal == User::"${person.id}", action in [Action::"agent:read", Action::"run:read"], resource)
       when { resource.tags.contains("eu") };`,
    );
    expect((await api.get(path)).status).toBe(200);
    // The same for what is not there.
    for (const id of [agentIn(tried), '01890000-0000-7000-8000-000000000000'])
      expect(await refusal(api.get(`/v1/agents/${id}`))).toEqual(DENIED);
    expect(await idsIn(api, '/v1/agents')).toEqual(live.agents.map(({ id }) => id));
    expect(await refusal(api.get('/v1/projects'))).toEqual(DENIED);
  });

  it('look at where a request comes from', async () => {
    const mine = (network: string) =>
      `@id("office") forbid (principal in Role::"Viewer", action in [Action::"agent:read", Action::"agent:update"], resource)
       unless { ${network} };`;
    const local = `context.ip.isLoopback()`;
    await inForce(mine(local));
    expect((await acme.api.get(`/v1/agents/${agentIn(live)}`)).status).toBe(200);
    await inForce(mine('context.ip.isInRange(ip("192.0.2.0/24"))'));
    expect(await refusal(acme.api.get(`/v1/agents/${agentIn(live)}`))).toEqual(DENIED);
    expect(await refusal(acme.api.get('/v1/agents'))).toEqual(DENIED);
  });

  it('look at the groups that somebody is in', async () => {
    const { person, api } = await personOf(app, acme, 'Viewer');
    const { id } = await must(acme.api.post<{ id: string }>('/v1/groups', { displayName: 'interns' }), 201);
    await must(acme.api.patch(`/v1/groups/${id}/members`, { addPeople: [person.id] }), 200);
    await inForce(
      `@id("interns") forbid (principal in Group::"${id}", action == Action::"run:read", resource);`,
    );
    expect(await refusal(api.get('/v1/runs'))).toEqual(DENIED);
    expect((await api.get('/v1/agents')).status).toBe(200);
    expect((await (await personOf(app, acme, 'Viewer')).api.get('/v1/runs')).status).toBe(200);
  });

  it('hold in their own organisation alone', async () => {
    await inForce(`@id("none") forbid (principal, action == Action::"agent:read", resource);`);
    expect(await refusal(acme.api.get('/v1/agents'))).toEqual(DENIED);
    expect((await other.api.get('/v1/agents')).status).toBe(200);
    const { version } = await write(FREEZE);
    expect(
      await refusal((await steppedUp(app, other)).get(`/v1/access/policies/${version + 1_000}`)),
    ).toEqual({
      status: 404,
      code: 'NOT_FOUND',
    });
  });

  it('follow labels within a second', async () => {
    await inForce(FREEZE);
    const id = agentIn(tried);
    const change = () => acme.api.patch(`/v1/agents/${id}`, { name: 'x' });
    expect((await change()).status).toBe(200);
    await must(acme.api.put(`/v1/agents/${id}/labels`, { environment: 'production', tags: [] }), 200);
    await eventually(async () => expect(await refusal(change())).toEqual(DENIED), 1_000);
    await must(acme.api.put(`/v1/agents/${id}/labels`, { environment: null, tags: [] }), 200);
    await eventually(async () => expect((await change()).status).toBe(200), 1_000);
  });
});

describe('a text of policies', () => {
  const wrong: Readonly<Record<string, [text: string, told: RegExp]>> = {
    'that cannot be read': [
      `@id("a") forbid (principal, action, resource)\nwhen { context.ip = 1 };`,
      /^line 2, column 8: .*==/,
    ],
    'without a name': ['forbid (principal, action, resource);', /^policy 1: it needs a name/],
    'of which two have one name': [`${FREEZE}\n${FREEZE}`, /^policy 2 \(freeze\): its name/],
    'of an action that is not there': [
      `@id("a") forbid (principal, action == Action::"agent:fly", resource);`,
      /^line 1, column \d+: unrecognized action .*did you mean/,
    ],
    'of an attribute that is not there': [
      `@id("a") forbid (principal, action, resource) when { resource.enviroment == "x" };`,
      /attribute .*enviroment/,
    ],
    'of a label that may be missing': [
      `@id("a") forbid (principal, action == Action::"agent:read", resource is Agent) when { resource.environment == "x" };`,
      /environment/,
    ],
    'that can never apply': [
      `@id("a") forbid (principal, action == Action::"api_key:create", resource is Agent);`,
      /never|impossible|applicable/,
    ],
    "of the installation's actions": [
      `@id("a") forbid (principal, action == Action::"tenant:create", resource);`,
      /unrecognized action/,
    ],
    'that is a template': [`@id("a") forbid (principal == ?principal, action, resource);`, /templates/],
    'that calculates': [
      `@id("a") forbid (principal, action, resource) when { context.weekday + 1 > 6 };`,
      /it calculates/,
    ],
    'that lists cannot be filtered by': [
      `@id("a") forbid (principal, action == Action::"agent:read", resource is Agent) when { resource.tags == ["a"] };`,
      /lists cannot be filtered/,
    ],
    'that permits everything': [`@id("a") permit (principal, action, resource);`, /names its actions/],
    'that permits what is an Owner’s': [
      `@id("a") permit (principal, action == Action::"organisation:export", resource);`,
      /nobody but an Owner/,
    ],
    'that permits what is an Owner’s by a group of actions': [
      `@id("a") permit (principal, action in Action::"owner", resource);`,
      /nobody but an Owner/,
    ],
    'that is nested without end': [
      `@id("a") forbid (principal, action, resource) when { ${'('.repeat(5_000)}true${')'.repeat(5_000)} };`,
      /^line 1, column \d+: brackets are nested/,
    ],
    'that says nothing': ['// nothing', /no policy/],
  };

  it.each(Object.entries(wrong))('%s is refused with what to write instead', async (_what, [text, told]) => {
    const { status, body } = await owner.post('/v1/access/policies', { text });
    expect({ status, code: body.code }).toEqual(INVALID);
    expect(body.errors?.map(({ pointer }) => pointer)).toContain('/text');
    expect(body.errors?.map(({ detail }) => detail).join('\n')).toMatch(told);
  });

  it('that is too long or of too many is refused', async () => {
    const many = Array.from({ length: 51 }, (_, at) => FREEZE.replace('freeze', `p-${at}`)).join('\n');
    for (const text of [many, `${FREEZE}${' '.repeat(33_000)}`, 7, null])
      expect(await refusal(owner.post('/v1/access/policies', { text }))).toEqual(INVALID);
  });

  it('is a version that never changes, in the order of writing', async () => {
    const first = await write(FREEZE);
    const second = await write(FREEZE.replace('freeze', 'thaw'));
    expect(second.version).toBe(first.version + 1);
    const { items } = await must(
      owner.get<{ items: PolicyVersionDto[] }>('/v1/access/policies?limit=2'),
      200,
    );
    expect(items.map(({ version }) => version)).toEqual([second.version, first.version]);
    const read = await must(owner.get<PolicyVersionDto>(`/v1/access/policies/${first.version}`), 200);
    expect(read).toMatchObject({ text: FREEZE, inForce: false });
  });
});

describe('activating', () => {
  it('needs the password proved again, and so a person', async () => {
    const { version } = await write(FREEZE);
    const unproved = client(app.baseUrl, (await signIn(app, acme.slug, acme.owner)).accessToken);
    for (const change of [activate, (v: number, api: Client) => goBack(v, api)]) {
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
      const { version } = await write(text);
      const { status, body } = await activate(version);
      expect({ status, code: body.code }).toEqual({ status: 422, code: 'POLICIES_LOCK_OUT_OWNERS' });
      expect(body.detail).toMatch(/policy:(?:nobody|no-owners|elsewhere)@\d+ forbids/);
    }
    const { version } = await write(
      `@id("some-owner") forbid (principal in Role::"Owner", action == Action::"user:update", resource)
       unless { principal == User::"${acme.owner.id}" || principal in User::"${acme.owner.id}" };`,
    );
    expect((await activate(version)).status).toBe(200);
  });

  it('leaves an Owner the way back, whatever is in force', async () => {
    // Only what an Owner needs to run the organisation is left to them; reading agents is not.
    const version = await inForce(`@id("dark") forbid (principal, action, resource)
      unless { action in [Action::"access_policy:manage", Action::"access_policy:activate", Action::"user:read",
        Action::"user:update", Action::"grant:manage", Action::"auth_settings:update"] };`);
    expect(await refusal(owner.get('/v1/agents'))).toEqual(DENIED);
    expect((await owner.get(`/v1/access/policies/${version}`)).status).toBe(200);
    const again = client(app.baseUrl, (await signIn(app, acme.slug, acme.owner)).accessToken);
    await must(again.post('/v1/auth/step-up', { password: acme.owner.password }), 200);
    expect((await goBack(null, again)).status).toBe(200);
    await heard(undefined);
    expect((await owner.get('/v1/agents')).status).toBe(200);
  });

  it('goes back to what was in force before, and to nothing else', async () => {
    const first = await inForce(FREEZE);
    const second = await inForce(
      `@id("other") forbid (principal, action == Action::"agent:delete", resource);`,
    );
    const never = await write(FREEZE);
    expect(await refusal(goBack(never.version))).toEqual({ status: 422, code: 'NEVER_IN_FORCE' });
    expect(await refusal(goBack(second))).toEqual({ status: 409, code: 'POLICIES_IN_FORCE' });
    await must(goBack(first), 200);
    const { inForce: now } = await must(owner.get<{ inForce?: number }>('/v1/access/policies'), 200);
    expect(now).toBe(first);
    expect(await refusal(goBack(first + 1_000))).toEqual({ status: 404, code: 'NOT_FOUND' });
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
    const { version } = await write(text);
    await must(api.post('/v1/auth/step-up', { password: person.password }), 200);
    expect(await refusal(activate(version, api))).toEqual(exceeds);
    const own = await must(
      api.post<PolicyVersionDto>('/v1/access/policies', { text: mine('Action::"agent:read"') }),
      201,
    );
    expect((await activate(own.version, api)).status).toBe(200);
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
      const version = await inForce(bound);
      expect(await refusal(goBack(null, api))).toEqual(LIFTED);
      const other = await write(forbid('other', 'principal in Role::"Viewer"'));
      expect(await refusal(activate(other.version, api))).toEqual(LIFTED);
      const narrowed = await write(forbid('bound', whom, ' when { context.weekday == 7 }'));
      expect(await refusal(activate(narrowed.version, api))).toEqual(LIFTED);
      // What is left in as it is may be called otherwise, and stand beside others.
      const beside = await write(
        `${bound.replace('@id("bound")', '@id("renamed")')}\n${forbid('more', 'principal')}`,
      );
      await must(activate(beside.version, api), 200);
      await must(goBack(version), 200);
      await must(goBack(null), 200);
    }
  });

  it('is not whoever does it to others', async () => {
    const [{ person, api }, { person: bound }] = [
      await personOf(app, acme, 'Admin'),
      await personOf(app, acme, 'Developer'),
    ];
    await must(api.post('/v1/auth/step-up', { password: person.password }), 200);
    await inForce(forbid('others', `principal == User::"${bound.id}"`));
    expect((await goBack(null, api)).status).toBe(200);
  });
});

describe('a dry run', () => {
  it('says which of the last decisions would have been others, and changes nothing', async () => {
    const { person, api } = await personOf(app, acme, 'Developer');
    await must(api.patch(`/v1/agents/${agentIn(live)}`, { name: 'before' }), 200);
    await must(api.patch(`/v1/agents/${agentIn(tried)}`, { name: 'before' }), 200);
    const { version } = await write(FREEZE);
    const path = `/v1/access/policies/${version}/dry-run`;
    const result = await must(acme.api.post<DryRunResultDto>(path, { last: 100 }), 200);
    const mine = result.changed.filter(({ actor }) => actor === person.id);
    expect(mine).toEqual([
      expect.objectContaining({
        permission: 'agent:update',
        resource: `agent ${agentIn(live)}`,
        before: 'allowed',
        after: 'denied',
        policies: [`policy:freeze@${version}`],
      }),
    ]);
    expect(result.looked).toBeGreaterThan(1);
    expect((await api.patch(`/v1/agents/${agentIn(live)}`, { name: 'after' })).status).toBe(200);
    expect(await refusal(acme.api.post(path, { last: 1_001 }))).toEqual(INVALID);
  });
});

describe('a dry run of what no session has asked', () => {
  const dryRun = async (text: string, api: Client = acme.api): Promise<DryRunResultDto> => {
    const { version } = await write(text);
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
    const path = `/v1/agents/${agentIn(live)}`;
    const byKey = client(app.baseUrl, key.key);
    expect(await refusal(byKey.patch(path, { name: 'x' }))).toEqual(DENIED);
    await must(byKey.get('/v1/agents'), 200);
    await must(machine.get('/v1/projects'), 200);
    await must(machine.patch(path, { name: 'by a machine' }), 200);
    const frozen = await dryRun(FREEZE);
    // Its scopes refuse it before and after.
    expect(changedOf(frozen, key.id)).toEqual([]);
    const on = { resource: `agent ${agentIn(live)}` };
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
    await must(machine.get(`/v1/agents/${agentIn(tried)}`), 200);
    await must(acme.api.delete(`/v1/oauth-clients/${gone.id}`), 204);
    const nobodys = '01890000-0000-7000-8000-000000000000';
    expect(await refusal(asked.api.get(`/v1/agents/${nobodys}`))).toMatchObject({ status: 404 });
    await must(asked.api.get(`/v1/agents/${agentIn(tried)}`), 200);
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
    const { version } = await write(FREEZE);
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
    const version = await inForce(FREEZE);
    const { person, api } = await personOf(app, acme, 'Viewer');
    const resource = { type: 'agent', id: agentIn(live) };
    expect(await explain(acme.api, { permission: 'agent:update', resource })).toMatchObject({
      allowed: false,
      policies: [`policy:freeze@${version}`],
      close: expect.arrayContaining([{ policy: 'developer-builds', butFor: 'forbidden' }]) as unknown,
    });
    const held = await grant(acme.api, `projects/${tried.project.id}/`, person.id, { role: 'Developer' });
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
    await inForce(
      `@id("careful") forbid (principal, action == Action::"agent:delete", resource)
       unless { context.ip.isInRange(ip("192.0.2.0/24")) && context.weekday <= 5 && principal has mfaAt
         && context.now.durationSince(principal.mfaAt) < duration("10m") };`,
    );
    const asked = { permission: 'agent:delete', ip: '192.0.2.7', at: '2026-11-30T10:00:00Z' };
    const mfaAt = '2026-11-30T09:55:00Z';
    const allowed = async (more: object) => (await explain(owner, { ...asked, mfaAt, ...more })).allowed;
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
    const unseen = { permission: 'agent:read', resource: { type: 'agent', id: agentIn(live) } };
    const notFound = { status: 404, code: 'NOT_FOUND' };
    expect(await refusal(member.api.post('/v1/access/explain', unseen))).toEqual(notFound);
    const foreign = { ...unseen, resource: { type: 'agent', id: agentIn(await furnished(other.api, 1)) } };
    expect(await refusal(acme.api.post('/v1/access/explain', foreign))).toEqual(notFound);
    const stranger = { permission: 'agent:read', userId: other.owner.id };
    expect(await refusal(acme.api.post('/v1/access/explain', stranger))).toEqual(notFound);
  });
});
