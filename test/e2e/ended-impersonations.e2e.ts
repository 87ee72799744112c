import { beforeAll, describe, expect, it } from 'vitest';
import type { AgentDto } from '../../src/agents/agents.dto.js';
import type {
  ImpersonationDto,
  RequestedImpersonationDto,
} from '../../src/impersonation/impersonation.dto.js';
import { personOf, type Signed } from '../support/access.js';
import { publishedAgent, readRun, runIn, startRun } from '../support/agents.js';
import { client, must, refusal, type Answer, type Client } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { verified } from '../support/log-book.js';
import { sharedApplication } from '../support/shared-application.js';
import { steppedUp } from '../support/single-sign-on.js';
import { createApiKey, createTenant, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const PATH = '/v1/access/impersonations';
const DENIED = { status: 403, code: 'PERMISSION_DENIED' };
const NOT_FOUND = { status: 404, code: 'NOT_FOUND' };
const DEAD = { status: 401, code: 'INVALID_CREDENTIAL' };
const NOT_PENDING = { status: 409, code: 'IMPERSONATION_NOT_PENDING' };
const operator = client(app.baseUrl, app.firstRun.operatorKey);
let acme: TestTenant;
let other: TestTenant;
let admin: Signed;
let slow: AgentDto;

beforeAll(async () => {
  acme = await createTenant(app);
  other = await createTenant(app);
  admin = await personOf(app, acme, 'Admin');
  slow = await publishedAgent(acme.api, { model: { name: 'demo-slow' } });
  const owner = await steppedUp(app, acme);
  const settings = { allowed: true, writes: true };
  await must(owner.put('/v1/access/impersonation-settings', settings), 200);
});

type Asked = RequestedImpersonationDto;
interface Told {
  readonly action: string;
  readonly actor: object;
  readonly outcome: string;
  readonly resource?: { readonly id: string };
  readonly changes?: object;
}

function ask(tenant = acme, userId = admin.person.id, writes = true): Promise<Asked> {
  const reason = 'Ticket 4711: an agent does not start';
  const body = { tenant: tenant.slug, userId, supportPerson: 'Ada of support', reason, minutes: 10 };
  return must(operator.post<Asked>(PATH, { ...body, writes }), 201);
}
const as = ({ key }: Asked): Client => client(app.baseUrl, key);
const withdraw = (id: string, tenant: string = acme.slug, api = operator): Promise<Answer<unknown>> =>
  api.post(`${PATH}/${id}/withdraw`, { tenant });

async function begun(asked: Asked) {
  const run = await startRun(as(asked), slow.id);
  await runIn(acme.api, run.id, new Set(['RUNNING']));
  return run;
}

async function stateOf(id: string): Promise<ImpersonationDto | undefined> {
  const all = await acme.api.all<ImpersonationDto>(PATH);
  return all.find((one) => one.id === id);
}

async function endings(of: TestTenant, id: string): Promise<Told[]> {
  const events = await of.api.all<Told>('/v1/audit/events?action=impersonation.ended');
  return events.filter(({ resource }) => resource?.id === id);
}

/** Everything of it is over, and nothing of another that was asked for as it was. */
async function ends(end: (asked: Asked) => Promise<Answer<unknown>>): Promise<Asked> {
  const [asked, beside] = [await ask(), await ask()];
  const [run, going] = [await begun(asked), await begun(beside)];
  const streaming = (async () => {
    for await (const _event of as(asked).events(`/v1/runs/${going.id}/events`));
  })();
  await must(as(asked).get('/v1/me'), 200);
  await must(end(asked), 204);
  await eventually(async () => expect(await refusal(as(asked).get('/v1/me'))).toEqual(DEAD), 1_000);
  await streaming;
  await runIn(acme.api, run.id, new Set(['CANCELLED']), 1_000);
  expect(await stateOf(asked.id)).toMatchObject({ state: 'ended' });
  expect(await readRun(acme.api, going.id)).toMatchObject({ status: 'RUNNING' });
  await must(as(beside).get('/v1/me'), 200);
  await must(withdraw(beside.id), 204);
  return asked;
}

describe('the operator', () => {
  it('ends what support has been let, with its streams and runs, and the organisation is told who', async () => {
    const { id } = await ends(({ id }) => withdraw(id));
    const told = {
      actor: { type: 'operator', id: 'operator' },
      outcome: 'success',
      changes: { as: admin.person.id, by: 'support' },
    };
    expect(await endings(acme, id)).toMatchObject([told]);
    const { endedAt } = { ...(await stateOf(id)) };
    // Ending twice is no error, and changes nothing.
    await must(withdraw(id), 204);
    expect(await stateOf(id)).toMatchObject({ state: 'ended', endedAt });
    expect(await endings(acme, id)).toMatchObject([told, told]);
    await verified(acme.api);
  });

  it('ends one that the organisation has ended, which stays ended by that', async () => {
    const { id } = await ask();
    await must(acme.api.delete(`${PATH}/${id}`), 204);
    const { endedAt } = { ...(await stateOf(id)) };
    await must(withdraw(id, acme.id), 204);
    expect(await stateOf(id)).toMatchObject({ state: 'ended', endedAt });
    const [last, first] = await endings(acme, id);
    expect([first?.changes, last?.changes]).toEqual([
      { as: admin.person.id, by: 'organisation' },
      { as: admin.person.id, by: 'support' },
    ]);
  });

  it('takes back what nobody has approved yet, and nobody can then', async () => {
    const { id } = await ask(other, other.owner.id);
    await must(withdraw(id, other.slug), 204);
    const owner = await steppedUp(app, other);
    expect(await refusal(owner.post(`${PATH}/${id}/approve`))).toEqual(NOT_PENDING);
  });

  it('is answered as for what is not there by another organisation, an unknown one and no id', async () => {
    const asked = await ask();
    const unknown = '01890000-0000-7000-8000-000000000000';
    for (const [id, tenant] of [
      [asked.id, other.slug],
      [asked.id, other.id],
      [asked.id, 'nobody-has-this'],
      [asked.id, 't_0123456789abcdef'],
      [unknown, acme.slug],
      ['x', acme.slug],
    ] as const)
      expect({ id, tenant, ...(await refusal(withdraw(id, tenant))) }).toEqual({ id, tenant, ...NOT_FOUND });
    for (const body of [undefined, {}, { tenant: null }, { tenant: '' }, { tenant: 1 }])
      expect((await refusal(operator.post(`${PATH}/${asked.id}/withdraw`, body))).status).toBe(400);
    await must(as(asked).get('/v1/me'), 200);
    await must(withdraw(asked.id), 204);
  });

  it('is nobody else: no Owner, no key of either organisation, not support', async () => {
    const asked = await ask();
    const owner = await steppedUp(app, acme);
    for (const api of [owner, acme.api, other.api, as(asked)])
      expect(await refusal(withdraw(asked.id, acme.slug, api))).toEqual(DENIED);
    const anybody = client(app.baseUrl);
    expect((await refusal(withdraw(asked.id, acme.slug, anybody))).status).toBe(401);
    await must(as(asked).get('/v1/me'), 200);
    await must(withdraw(asked.id), 204);
  });

  it('ends it while the organisation is suspended, so that it does not come back with that', async () => {
    const third = await createTenant(app);
    const owner = await steppedUp(app, third);
    await must(owner.put('/v1/access/impersonation-settings', { allowed: true, writes: true }), 200);
    const asked = await ask(third, third.owner.id);
    await must(as(asked).get('/v1/me'), 200);
    await must(operator.post(`/v1/tenants/${third.id}/suspend`, { reason: 'An invoice is open' }), 200);
    expect((await refusal(as(asked).get('/v1/me'))).status).toBe(403);
    await must(withdraw(asked.id, third.id), 204);
    await must(operator.post(`/v1/tenants/${third.id}/resume`), 200);
    await eventually(async () => {
      expect((await owner.get('/v1/me')).status).toBe(200);
      expect(await refusal(as(asked).get('/v1/me'))).toEqual(DEAD);
    }, 5_000);
  });
});

describe('support', () => {
  const leave = (api: Client): Promise<Answer<unknown>> => api.post(`${PATH}/leave`);

  it('gives its key up, with streams and runs', async () => {
    const asked = await ends((one) => leave(as(one)));
    expect(await refusal(leave(as(asked)))).toEqual(DEAD);
    expect(await endings(acme, asked.id)).toMatchObject([
      {
        actor: { type: 'support', id: asked.id, userId: admin.person.id },
        outcome: 'success',
        changes: { as: admin.person.id, by: 'support' },
      },
    ]);
  });

  it('gives up one by which it may change nothing, for somebody who may do nothing', async () => {
    const { person } = await personOf(app, acme, 'Member');
    const asked = await ask(acme, person.id, false);
    await must(leave(as(asked)), 204);
    await eventually(async () => expect(await refusal(as(asked).get('/v1/me'))).toEqual(DEAD), 1_000);
  });

  it('ends no other by it, and nobody else has anything to give up', async () => {
    const asked = await ask();
    expect(await refusal(as(await ask()).delete(`${PATH}/${asked.id}`))).toEqual(DENIED);
    const { key } = await createApiKey(acme.api, ['profile:write']);
    for (const api of [acme.api, admin.api, other.api, client(app.baseUrl, key)])
      expect(await refusal(leave(api))).toEqual(NOT_FOUND);
    expect(await refusal(leave(operator))).toEqual(DENIED);
    await must(as(asked).get('/v1/me'), 200);
  });
});
