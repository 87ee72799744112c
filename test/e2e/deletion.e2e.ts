import type { OperationsDto } from '../../src/organisations/lifecycle.dto.js';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createProject } from '../support/agents.js';
import { client, must, refusal } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { verified } from '../support/log-book.js';
import { DELETING, OperatorOf, REASON, SUSPENDED, told } from '../support/organisations.js';
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

describe('a deleted organisation', () => {
  it('is refused at once, says when it will be purged, and comes back whole when it is restored', async () => {
    const project = await createProject(acme.api);
    const deleted = await must(operator.remove(acme.id), 202);
    const days = (Date.parse(deleted.purgeAfter ?? '') - Date.now()) / 86_400_000;
    expect(deleted.status).toBe('deleting');
    expect(Math.round(days)).toBe(14);
    await eventually(async () => expect(await refusal(acme.api.get('/v1/me'))).toEqual(DELETING), 1_000);
    const { email, password } = acme.owner;
    const anyone = client(app.baseUrl, undefined, { 'x-tenant-slug': acme.slug });
    expect(await refusal(anyone.post('/v1/auth/login', { email, password }))).toEqual(DELETING);
    const { items } = await must(operator.api.get<OperationsDto>(`/v1/tenants/${acme.id}/operations`), 200);
    expect(items).toContainEqual(
      expect.objectContaining({
        kind: 'tenant.purge',
        step: 'refuse',
        status: 'running',
        dueAt: deleted.purgeAfter,
      }),
    );
    const body = { slug: acme.slug, name: 'x', owner: { email: 'a@b.example' } };
    expect(await refusal(operator.api.post('/v1/tenants', body))).toEqual({
      status: 409,
      code: 'SLUG_TAKEN',
    });
    const restored = await must(operator.restore(acme.id), 200);
    expect(restored).toMatchObject({ status: 'active' });
    expect(restored).not.toHaveProperty('purgeAfter');
    await eventually(async () => expect(await acme.api.all('/v1/projects')).toEqual([project]), 1_000);
    await eventually(
      async () =>
        expect((await told(acme.api)).map(({ action }) => action)).toEqual([
          'tenant.deleted',
          'tenant.restored',
        ]),
      5_000,
    );
  });

  it('that was suspended is suspended again when it is restored', async () => {
    await must(operator.suspend(acme.id), 200);
    await must(operator.remove(acme.id, { graceDays: 30 }), 202);
    expect(await must(operator.restore(acme.id), 200)).toMatchObject({
      status: 'suspended',
      suspendedReason: REASON,
    });
    await eventually(async () => expect(await refusal(acme.api.get('/v1/me'))).toEqual(SUSPENDED), 1_000);
  });

  it('without grace is gone in a moment: its name is free, its credentials are worth nothing', async () => {
    const deleted = await must(operator.remove(acme.id, { graceDays: 0, confirm: acme.slug }), 202);
    expect(deleted.status).toBe('deleting');
    await eventually(
      async () =>
        expect(await refusal(operator.api.get(`/v1/tenants/${acme.id}`))).toEqual({
          status: 404,
          code: 'TENANT_GONE',
        }),
      20_000,
    );
    expect(await refusal(acme.api.get('/v1/me'))).toEqual({ status: 401, code: 'INVALID_CREDENTIAL' });
    const { items } = await must(operator.api.get<OperationsDto>(`/v1/tenants/${acme.id}/operations`), 200);
    expect(items.map(({ kind, status }) => [kind, status])).toContainEqual(['tenant.purge', 'done']);
    const heir = await createTenant(app, { slug: acme.slug });
    expect(heir.id).not.toBe(acme.id);
    expect(await heir.api.all('/v1/projects')).toEqual([]);
    for (const again of [
      operator.suspend(acme.id),
      operator.resume(acme.id),
      operator.restore(acme.id),
      operator.remove(acme.id),
    ])
      expect(await refusal(again as never)).toEqual({ status: 404, code: 'TENANT_GONE' });
    await verified(neighbour.api);
  });
});
