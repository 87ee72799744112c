import { beforeAll, describe, expect, it } from 'vitest';
import type { AuditPageDto } from '../../src/audit/audit.dto.js';
import type { RetentionDto } from '../../src/retention/retention.dto.js';
import type { Problem } from '../../src/platform/http/problem.js';
import { client, must, refusal } from '../support/client.js';
import { installationLog, OperatorOf } from '../support/organisations.js';
import { asSuperuser } from '../support/embedded-database.js';
import { eventually } from '../support/eventually.js';
import { sharedApplication } from '../support/shared-application.js';
import { createPerson, createTenant, signIn, type TestTenant } from '../support/tenants.js';

const PATH = '/v1/audit/retention';
const HOLD = '/v1/audit/legal-hold';
const REASON = { reason: 'Case 4711, canary-of-a-reason' };
const app = sharedApplication();
const operations = new OperatorOf(app);
const operator = operations.api;
let acme: TestTenant;
let globex: TestTenant;

beforeAll(async () => {
  acme = await createTenant(app);
  globex = await createTenant(app);
});

const removal = (tenant: TestTenant, graceDays: number) =>
  operator.send<Problem>('DELETE', `/v1/tenants/${tenant.id}`, { body: { graceDays } });
const told = async (tenant: TestTenant, action: string): Promise<unknown[]> =>
  (await must(tenant.api.get<AuditPageDto>(`/v1/audit/events?action=${action}`), 200)).items.filter(
    ({ outcome }) => outcome === 'success',
  );

describe('the retention of a log', () => {
  it('is that of the installation, and is set upwards by an owner, for the own organisation', async () => {
    const usual = { hotDays: 90, coldDays: 365 };
    const longest = { hotDays: 365, coldDays: 3_650 };
    const unset = { hotDays: null, coldDays: null, effective: usual, longest, version: 0 };
    expect(await must(acme.api.get<RetentionDto>(PATH), 200)).toEqual(unset);
    const set = await must(acme.api.put<RetentionDto>(PATH, { hotDays: 120, coldDays: null }), 200);
    expect(set).toEqual({
      ...unset,
      hotDays: 120,
      effective: { hotDays: 120, coldDays: 365 },
      version: 1,
    });
    expect(await must(globex.api.get<RetentionDto>(PATH), 200)).toEqual(unset);
    expect(await told(acme, 'audit_retention.updated')).toMatchObject([
      { changes: { hotDays: 120, coldDays: null } },
    ]);
  });

  it('is not set below what the installation keeps, above its limit, or so that cold is no longer than hot', async () => {
    for (const body of [
      { hotDays: 89, coldDays: 365 },
      { hotDays: 366, coldDays: 500 },
      { hotDays: 90, coldDays: 364 },
      { hotDays: 90, coldDays: 3_651 },
      { hotDays: 365, coldDays: 365 },
      { hotDays: 365, coldDays: null },
      { hotDays: 90.5, coldDays: 365 },
      { hotDays: '90', coldDays: 365 },
      { hotDays: 90 },
      {},
    ])
      expect(await refusal(globex.api.put(PATH, body))).toEqual({ status: 400, code: 'INVALID_REQUEST' });
    const stale = globex.api.with({ 'if-match': '"7"' }).put(PATH, { hotDays: 100, coldDays: 400 });
    expect((await refusal(stale)).status).toBe(412);
    expect((await must(globex.api.get<RetentionDto>(PATH), 200)).version).toBe(0);
  });

  it('and a legal hold are an owner’s business', async () => {
    const admin = await createPerson(acme.api, 'Admin');
    const { accessToken } = await signIn(app, acme.slug, admin);
    const api = client(app.baseUrl, accessToken);
    await must(api.get(PATH), 200);
    for (const refused of [
      api.put(PATH, { hotDays: 100, coldDays: 400 }),
      api.put(HOLD, REASON),
      api.post(`${HOLD}/lift`, REASON),
      api.put(`/v1/tenants/${acme.id}/legal-hold`, REASON),
    ])
      expect((await refusal(refused)).status).toBe(403);
  });
});

describe('a legal hold', () => {
  it('needs a reason, is kept encrypted, keeps the organisation from being deleted, and is lifted by who set it', async () => {
    expect((await refusal(acme.api.put(HOLD, {}))).status).toBe(400);
    const held = await must(acme.api.put<RetentionDto>(HOLD, REASON), 200);
    expect(held.legalHold).toMatchObject({ by: 'owner', reason: REASON.reason });
    expect((await must(globex.api.get<RetentionDto>(PATH), 200)).legalHold).toBeUndefined();
    const rows = await asSuperuser(app.home, 'us-east-1', (db) =>
      db.query('SELECT r::text FROM control.log_retention r'),
    );
    expect(JSON.stringify(rows)).not.toContain('canary-of-a-reason');
    expect(await refusal(removal(acme, 14))).toEqual({ status: 409, code: 'LEGAL_HOLD' });
    expect((await refusal(operator.put(`/v1/tenants/${acme.id}/legal-hold`, REASON))).code).toBe(
      'LEGAL_HOLD',
    );
    const lifted = await must(acme.api.post<RetentionDto>(`${HOLD}/lift`, { reason: 'settled' }), 200);
    expect(lifted.legalHold).toBeUndefined();
    expect(await refusal(acme.api.post(`${HOLD}/lift`, REASON))).toEqual({
      status: 409,
      code: 'NO_LEGAL_HOLD',
    });
    expect(await told(acme, 'legal_hold.set')).toHaveLength(1);
    expect(await told(acme, 'legal_hold.lifted')).toMatchObject([{ personal: { reason: 'settled' } }]);
  });

  it('of the operator is told to the organisation, and no owner lifts it; without it the organisation goes', async () => {
    const path = `/v1/tenants/${globex.id}/legal-hold`;
    await must(operator.put(path, REASON), 204);
    expect((await must(globex.api.get<RetentionDto>(PATH), 200)).legalHold).toMatchObject({ by: 'operator' });
    expect(await refusal(globex.api.post(`${HOLD}/lift`, REASON))).toEqual({
      status: 409,
      code: 'LEGAL_HOLD',
    });
    await eventually(async () => expect(await told(globex, 'tenant.legal_hold_set')).toHaveLength(1), 10_000);
    expect((await refusal(removal(globex, 1))).code).toBe('LEGAL_HOLD');
    await must(operator.post(`${path}/lift`, REASON), 204);
    await must(operations.remove(globex.id, { graceDays: 1 }), 202);
    expect(await installationLog(app.home, globex.id)).toContain('tenant.legal_hold_lifted');
    expect((await refusal(operator.put('/v1/tenants/t_00000000000000ff/legal-hold', REASON))).status).toBe(
      404,
    );
  });

  it('that was set during the grace keeps the purge waiting, which begins when it is lifted', async () => {
    const initech = await createTenant(app);
    await must(operations.remove(initech.id, { graceDays: 1 }), 202);
    await must(operator.put(`/v1/tenants/${initech.id}/legal-hold`, REASON), 204);
    await asSuperuser(app.home, 'us-east-1', async (db) => {
      await db.query(`UPDATE control.tenants SET delete_after = now() WHERE id = $1`, [initech.id]);
      await db.query(
        `UPDATE control.operations SET due_at = now() WHERE tenant = $1 AND kind = 'tenant.purge'`,
        [initech.id],
      );
    });
    await eventually(async () => {
      const { items } = await must(
        operator.get<{ items: { kind: string; error?: string }[] }>(`/v1/tenants/${initech.id}/operations`),
        200,
      );
      expect(items.find(({ kind }) => kind === 'tenant.purge')?.error).toContain('legal hold');
    }, 20_000);
    await must(operator.post(`/v1/tenants/${initech.id}/legal-hold/lift`, REASON), 204);
    await eventually(async () => {
      expect((await refusal(operator.get(`/v1/tenants/${initech.id}`))).code).toBe('TENANT_GONE');
    }, 60_000);
  });
});
