import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { AgentDto } from '../../src/agents/agents.dto.js';
import type {
  ImpersonationDto,
  RequestedImpersonationDto,
} from '../../src/impersonation/impersonation.dto.js';
import { personOf, type Signed } from '../support/access.js';
import { publishedAgent, readRun, runIn, startRun } from '../support/agents.js';
import { client, must, refusal, type Client } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { eventually } from '../support/eventually.js';
import { OpenApiContract } from '../support/openapi-contract.js';
import { permissionOf, PERMISSIONS } from '../support/permissions.js';
import { sharedApplication } from '../support/shared-application.js';
import { steppedUp } from '../support/single-sign-on.js';
import { createTenant, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const DENIED = { status: 403, code: 'PERMISSION_DENIED' };
const INVALID = { status: 400, code: 'INVALID_REQUEST' };
const NOT_FOUND = { status: 404, code: 'NOT_FOUND' };
const DEAD = { status: 401, code: 'INVALID_CREDENTIAL' };
const operator = client(app.baseUrl, app.firstRun.operatorKey);
let acme: TestTenant;
let other: TestTenant;
let owner: Client;
let admin: Signed;
let agent: AgentDto;

beforeAll(async () => {
  acme = await createTenant(app);
  other = await createTenant(app);
  owner = await steppedUp(app, acme);
  admin = await personOf(app, acme, 'Admin');
  agent = await publishedAgent(acme.api);
});
beforeEach(() => allow({ allowed: false, writes: false }));

const allow = (settings: object) => must(owner.put('/v1/access/impersonation-settings', settings), 200);
const wanted = (more: object = {}) => ({
  tenant: acme.slug,
  userId: admin.person.id,
  supportPerson: 'Ada of support',
  reason: 'Ticket 4711: an agent does not start',
  minutes: 10,
  ...more,
});
const ask = (more: object = {}): Promise<RequestedImpersonationDto> =>
  must(operator.post<RequestedImpersonationDto>('/v1/access/impersonations', wanted(more)), 201);
const as = ({ key }: RequestedImpersonationDto): Client => client(app.baseUrl, key);
const approve = (id: string, api = owner) =>
  api.post<ImpersonationDto>(`/v1/access/impersonations/${id}/approve`);
const end = (id: string, api: Client = acme.api) => api.delete(`/v1/access/impersonations/${id}`);

describe('support', () => {
  it('is nobody until an Owner has approved it, who sees who asks and why', async () => {
    const asked = await ask();
    expect(asked.state).toBe('requested');
    expect(await refusal(as(asked).get('/v1/me'))).toEqual(DEAD);
    const [seen] = await acme.api.all<ImpersonationDto>('/v1/access/impersonations');
    expect(seen).toMatchObject({
      id: asked.id,
      state: 'requested',
      supportPerson: 'Ada of support',
      reason: 'Ticket 4711: an agent does not start',
    });
    expect(await refusal(approve(asked.id, admin.api) as never)).toEqual(DENIED);
    expect(await refusal(approve(asked.id, acme.api) as never)).toEqual({
      status: 403,
      code: 'STEP_UP_NEEDS_SESSION',
    });
    expect(await must(approve(asked.id), 200)).toMatchObject({ state: 'active', approvedBy: acme.owner.id });
    expect((await as(asked).get(`/v1/agents/${agent.id}`)).status).toBe(200);
    expect(await refusal(approve(asked.id) as never)).toEqual({
      status: 409,
      code: 'IMPERSONATION_NOT_PENDING',
    });
  });

  it('begins at once where the organisation has allowed it, and writes only where that was allowed too', async () => {
    await allow({ allowed: true, writes: false });
    expect((await ask()).state).toBe('active');
    expect((await ask({ writes: true })).state).toBe('requested');
    await allow({ allowed: true, writes: true });
    const writing = await ask({ writes: true });
    expect(writing.state).toBe('active');
    expect((await as(writing).patch(`/v1/agents/${agent.id}`, { description: 'mended' })).status).toBe(200);
    for (const [method, path, body] of [
      ['POST', '/v1/api-keys', { name: 'x', scopes: ['*:read'] }],
      ['POST', '/v1/grants', {}],
      ['POST', '/v1/roles', {}],
      ['PATCH', `/v1/users/${admin.person.id}`, { role: 'Viewer' }],
      ['PATCH', '/v1/me', { displayName: 'x' }],
      ['POST', '/v1/auth/password', {}],
      ['POST', '/v1/oauth-clients', {}],
      ['POST', '/v1/access/policies', {}],
      ['POST', '/v1/access/impersonations', wanted()],
      ['POST', '/v1/auth/step-up', { password: admin.person.password }],
    ] as const)
      expect({ path, ...(await refusal(as(writing).send(method, path, { body }))) }).toEqual({
        path,
        ...DENIED,
      });
  });

  it('may call nothing but what the person may read, on every route there is', async () => {
    await allow({ allowed: true, writes: false });
    const support = as(await ask());
    const { routes } = await OpenApiContract.of(app.baseUrl);
    let [read, denied] = [0, 0];
    for (const route of routes) {
      const permission = permissionOf(route);
      // Which ends it: test/e2e/ended-impersonations.e2e.ts.
      if (!permission || permission === 'impersonation:leave') continue;
      const path = route.path.replaceAll(/\{\w+\}/g, '01890000-0000-7000-8000-000000000000');
      const { status, body } = await support.send<{ code?: string } | undefined>(route.method, path);
      const outcome = status === 403 && body?.code === 'PERMISSION_DENIED' ? 'denied' : 'let in';
      const { scope, grantee } = PERMISSIONS[permission];
      const may = scope.endsWith(':read') && !['owner', 'operator'].includes(grantee);
      expect({ path, outcome }).toEqual({ path, outcome: may ? 'let in' : 'denied' });
      if (may) read += 1;
      else denied += 1;
    }
    expect(Math.min(read, denied)).toBeGreaterThan(20);
  });

  it('is held to what its person is held to', async () => {
    await allow({ allowed: true, writes: true });
    const member = await personOf(app, acme, 'Member');
    const support = as(await ask({ userId: member.person.id, writes: true }));
    expect(await refusal(support.get(`/v1/agents/${agent.id}`))).toEqual(DENIED);
    expect(await refusal(support.post('/v1/agents', {}))).toEqual(DENIED);
  });

  it('stands in every event with its own id and the person’s', async () => {
    await allow({ allowed: true, writes: true });
    const asked = await ask({ writes: true });
    await must(as(asked).get(`/v1/agents/${agent.id}`), 200);
    await must(as(asked).patch(`/v1/agents/${agent.id}`, { description: 'seen' }), 200);
    await as(asked).post('/v1/api-keys', {});
    type Event = { action: string; actor: { type: string; id: string; userId?: string }; personal?: object };
    const events = await acme.api.all<Event>('/v1/audit/events');
    const own = events.filter(({ actor }) => actor.id === asked.id);
    expect(own.map(({ action }) => action).toSorted()).toEqual([
      'agent.read',
      'agent.updated',
      'api_key.created',
    ]);
    for (const { actor } of own)
      expect(actor).toEqual({ type: 'support', id: asked.id, userId: admin.person.id });
    const begun = events.find(({ action }) => action === 'impersonation.requested');
    expect(begun).toMatchObject({
      actor: { type: 'operator' },
      personal: { supportPerson: 'Ada of support' },
    });
  });

  it('is ended at once by an Admin, and with its person', async () => {
    await allow({ allowed: true, writes: false });
    const ended = await ask();
    await must(as(ended).get('/v1/me'), 200);
    await must(end(ended.id), 204);
    await eventually(async () => expect(await refusal(as(ended).get('/v1/me'))).toEqual(DEAD), 1_000);
    expect((await end(ended.id)).status).toBe(204);
    const { person } = await personOf(app, acme, 'Viewer');
    const viewers = await ask({ userId: person.id });
    await must(as(viewers).get('/v1/me'), 200);
    await must(acme.api.patch(`/v1/users/${person.id}`, { status: 'disabled' }), 200);
    await eventually(async () => expect(await refusal(as(viewers).get('/v1/me'))).toEqual(DEAD), 1_000);
  });
});

it('support is over when its time is, also where it was seen before', async () => {
  await allow({ allowed: true, writes: false });
  const asked = await ask({ minutes: 1 });
  await asSuperuser(app.home, 'us-east-1', (database) =>
    database.query(
      `UPDATE "${acme.id}".impersonations SET expires_at = now() + interval '2 seconds' WHERE id = $1`,
      [asked.id],
    ),
  );
  await must(as(asked).get('/v1/me'), 200);
  await eventually(async () => expect(await refusal(as(asked).get('/v1/me'))).toEqual(DEAD), 4_000);
});

describe('what support has begun', () => {
  const slowRun = async (asked: RequestedImpersonationDto) => {
    const slow = await publishedAgent(acme.api, { model: { name: 'demo-slow' } });
    const run = await startRun(as(asked), slow.id);
    await runIn(acme.api, run.id, new Set(['RUNNING']));
    return run;
  };
  beforeEach(() => allow({ allowed: true, writes: true }));

  it('is a run whose events name support and the person', async () => {
    const asked = await ask({ writes: true });
    const run = await startRun(as(asked), agent.id);
    await runIn(acme.api, run.id);
    type Event = { action: string; actor: object; resource?: { id: string } };
    const events = await eventually(async () => {
      const all = await acme.api.all<Event>('/v1/audit/events');
      const own = all.filter(({ action, resource }) => action.startsWith('run.') && resource?.id === run.id);
      expect(own.map(({ action }) => action)).toContain('run.completed');
      return own.filter(({ action }) => action !== 'run.read');
    }, 5_000);
    const by = { type: 'system', id: 'worker', onBehalfOf: asked.id, userId: admin.person.id };
    for (const { action, actor } of events)
      expect({ action, actor }).toEqual({
        action,
        actor: action === 'run.created' ? { type: 'support', id: asked.id, userId: admin.person.id } : by,
      });
    expect(events).toHaveLength(3);
  });

  it('is cancelled with it', async () => {
    const asked = await ask({ writes: true });
    const beside = await slowRun(await ask({ writes: true }));
    const run = await slowRun(asked);
    await must(end(asked.id), 204);
    await runIn(acme.api, run.id, new Set(['CANCELLED']), 1_000);
    expect(await readRun(acme.api, beside.id)).toMatchObject({ status: 'RUNNING' });
    await must(acme.api.post(`/v1/runs/${beside.id}/cancel`), 202);
  });

  it('ends with its person’s access, and none of it comes back with that, no link to a new password either', async () => {
    const { person } = await personOf(app, acme, 'Developer');
    const asked = await ask({ userId: person.id, writes: true });
    const run = await slowRun(asked);
    const link = [Buffer.from(person.id), person.id];
    await asSuperuser(app.home, 'us-east-1', (database) =>
      database.query(
        `INSERT INTO "${acme.id}".password_resets (token_hash, user_id, expires_at) VALUES ($1, $2, now() + interval '1 hour')`,
        link,
      ),
    );
    for (const status of ['disabled', 'active'])
      await must(acme.api.patch(`/v1/users/${person.id}`, { status }), 200);
    await runIn(acme.api, run.id, new Set(['CANCELLED']), 1_000);
    await eventually(async () => expect(await refusal(as(asked).get('/v1/me'))).toEqual(DEAD), 1_000);
    const [seen] = await acme.api.all<ImpersonationDto>('/v1/access/impersonations');
    expect(seen).toMatchObject({ id: asked.id, state: 'ended' });
    const { rows } = await asSuperuser(app.home, 'us-east-1', (database) =>
      database.query(`SELECT 1 FROM "${acme.id}".password_resets WHERE user_id = $1 AND used_at IS NULL`, [
        person.id,
      ]),
    );
    expect(rows).toEqual([]);
  });
});

describe('an impersonation', () => {
  it('needs a name, a reason, an end within the hour, and a person who is there', async () => {
    for (const more of [
      { supportPerson: '' },
      { supportPerson: undefined },
      { reason: 'because' },
      { reason: ' '.repeat(20) },
      { minutes: 0 },
      { minutes: 61 },
      { minutes: undefined },
      { writes: 'yes' },
    ])
      expect(await refusal(operator.post('/v1/access/impersonations', wanted(more)))).toEqual(INVALID);
    for (const more of [{ tenant: 'nobody-has-this' }, { userId: other.owner.id }, { tenant: other.slug }])
      expect(await refusal(operator.post('/v1/access/impersonations', wanted(more)))).toEqual(NOT_FOUND);
    expect(await refusal(acme.api.post('/v1/access/impersonations', wanted()))).toEqual(DENIED);
  });

  it('is of its own organisation: nobody else sees, approves or ends it', async () => {
    const asked = await ask();
    expect(await other.api.all('/v1/access/impersonations')).toEqual([]);
    const stranger = await steppedUp(app, other);
    expect(await refusal(approve(asked.id, stranger) as never)).toEqual(NOT_FOUND);
    expect(await refusal(end(asked.id, other.api))).toEqual(NOT_FOUND);
    expect(await refusal(as(asked).with({ 'x-tenant-slug': other.slug }).get('/v1/me'))).toEqual({
      status: 403,
      code: 'TENANT_MISMATCH',
    });
    await must(end(asked.id), 204);
    expect(await refusal(approve(asked.id) as never)).toEqual({
      status: 409,
      code: 'IMPERSONATION_NOT_PENDING',
    });
  });

  it('is nothing that the database holds in plain', async () => {
    const { id } = await ask({ reason: 'Ticket 4712: a plain word that is looked for' });
    const { rows } = await asSuperuser(app.home, 'us-east-1', (database) =>
      database.query<{ row: string }>(
        `SELECT i::text || encode(reason, 'escape') AS row FROM "${acme.id}".impersonations i WHERE id = $1`,
        [id],
      ),
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]?.row).not.toMatch(/Ticket|Ada/);
  });
});
