import type { OperationsDto } from '../../src/organisations/lifecycle.dto.js';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { must, refusal } from '../support/client.js';
import { OperatorOf } from '../support/organisations.js';
import { sharedApplication } from '../support/shared-application.js';
import { createTenant, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const operator = new OperatorOf(app);
/** Whom nothing happens to. */
let neighbour: TestTenant;
let acme: TestTenant;

beforeAll(async () => {
  neighbour = await createTenant(app, { region: 'eu-west-1' });
});
beforeEach(async () => {
  acme = await createTenant(app, { region: 'eu-west-1' });
});

describe('what makes no sense', () => {
  const INVALID = { status: 400, code: 'INVALID_REQUEST' };
  const STATE = { status: 409, code: 'TENANT_STATE' };

  it.each([
    ['a grace of 31 days', { graceDays: 31 }],
    ['a grace of less than nothing', { graceDays: -1 }],
    ['a grace of half a day', { graceDays: 0.5 }],
    ['a grace that is a text', { graceDays: '14' }],
    ['no grace, and no confirmation', { graceDays: 0 }],
    ["no grace, and somebody else's name", { graceDays: 0, confirm: 'demo' }],
    ['a grace, and a wrong name', { graceDays: 14, confirm: 'demo' }],
    ['a member that there is none of', { grace: 14 }],
    ['a list', []],
  ])('is refused: deleting with %s', async (_what, body) => {
    expect(await refusal(operator.remove(acme.id, body) as never)).toEqual(INVALID);
    expect(await operator.entry(acme.id)).toMatchObject({ status: 'active', version: 1 });
    const { items } = await must(operator.api.get<OperationsDto>(`/v1/tenants/${acme.id}/operations`), 200);
    expect(items).toEqual([]);
  });

  it.each([{}, { reason: '' }, { reason: 7 }, { reason: 'x'.repeat(501) }, { reason: 'x', until: 'y' }])(
    'is refused: suspending with %j',
    async (body) => {
      expect(await refusal(operator.api.post(`/v1/tenants/${acme.id}/suspend`, body))).toEqual(INVALID);
      expect((await acme.api.get('/v1/me')).status).toBe(200);
    },
  );

  it('is refused: what is not possible in the state that it is in, and nothing changes', async () => {
    for (const no of [operator.resume(acme.id), operator.restore(acme.id)])
      expect(await refusal(no as never)).toEqual(STATE);
    await must(operator.suspend(acme.id), 200);
    for (const no of [operator.suspend(acme.id), operator.restore(acme.id)])
      expect(await refusal(no as never)).toEqual(STATE);
    await must(operator.remove(acme.id), 202);
    for (const no of [
      operator.suspend(acme.id),
      operator.resume(acme.id),
      operator.remove(acme.id),
      operator.rename(acme.id, 3, { name: 'x' }),
    ])
      expect(await refusal(no as never)).toEqual(STATE);
    expect(await operator.entry(acme.id)).toMatchObject({ status: 'deleting', version: 3 });
    await must(operator.restore(acme.id), 200);
  });

  it('is refused: a change without the version that it is for, or for an old one', async () => {
    expect(await refusal(operator.api.patch(`/v1/tenants/${acme.id}`, { name: 'x' }))).toEqual({
      status: 428,
      code: 'VERSION_REQUIRED',
    });
    expect(await refusal(operator.rename(acme.id, 7, { name: 'x' }) as never)).toEqual({
      status: 412,
      code: 'VERSION_MISMATCH',
    });
    const any = operator.api.patch(`/v1/tenants/${acme.id}`, { name: 'x' }, { 'if-match': 'x' });
    expect(await refusal(any)).toEqual(INVALID);
    for (const body of [{ slug: 'A' }, { name: '' }, { name: null }, { status: 'active' }])
      expect(await refusal(operator.rename(acme.id, 1, body) as never)).toEqual(INVALID);
    expect((await operator.entry(acme.id)).name).toBe(acme.slug);
  });

  it.each(['t_ffffffffffffffff', 't_0000000000000000', 'acme', `t_'; DROP SCHEMA x; --`, '%00'])(
    'is refused: an organisation %s',
    async (id) => {
      const path = `/v1/tenants/${encodeURIComponent(id)}`;
      const asked = [
        operator.api.get(path),
        operator.api.get(`${path}/operations`),
        operator.api.patch(path, { name: 'x' }, { 'if-match': '"1"' }),
        operator.api.post(`${path}/suspend`, { reason: 'x' }),
        operator.api.post(`${path}/resume`),
        operator.api.post(`${path}/restore`),
        operator.api.send('DELETE', path, { body: {} }),
      ];
      for (const answer of asked)
        expect(await refusal(answer as never)).toEqual({ status: 404, code: 'NOT_FOUND' });
    },
  );

  it('is refused: an owner who does the operator’s work, at home or next door', async () => {
    const denied = { status: 403, code: 'PERMISSION_DENIED' };
    for (const { id } of [acme, neighbour]) {
      const path = `/v1/tenants/${id}`;
      const asked = [
        acme.api.get(path),
        acme.api.patch(path, { name: 'x' }, { 'if-match': '"1"' }),
        acme.api.post(`${path}/suspend`, { reason: 'x' }),
        acme.api.send('DELETE', path, { body: {} }),
      ];
      for (const answer of asked) expect(await refusal(answer as never)).toEqual(denied);
    }
  });
});
