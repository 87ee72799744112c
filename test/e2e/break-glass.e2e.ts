import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { UserDto } from '../../src/auth/auth.dto.js';
import { SamlIdp } from '../fakes/saml-idp.js';
import { must, refusal, type Client } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { createDirectory, mustScim, person } from '../support/scim.js';
import { sharedApplication } from '../support/shared-application.js';
import { activeConnection, steppedUp } from '../support/single-sign-on.js';
import { createTenant, uniqueName, type TestTenant } from '../support/tenants.js';

const LAST = { status: 409, code: 'LAST_BREAK_GLASS_OWNER' };

const app = sharedApplication();
let acme: TestTenant;
let globex: TestTenant;
let owner: Client;
let domain: { readonly id: string; readonly name: string };

/** As if the DNS had proven it. */
async function verifiedDomain(tenant: TestTenant): Promise<{ id: string; name: string }> {
  const [id, name] = [randomUUID(), `${uniqueName('people')}.example`];
  await asSuperuser(app.home, 'us-east-1', async (database) => {
    await database.query('INSERT INTO control.domains (name, tenant) VALUES ($1, $2)', [name, tenant.id]);
    await database.query(
      `INSERT INTO "${tenant.id}".domains (id, name, token, created_by) VALUES ($1, $2, 'token', 'test')`,
      [id, name],
    );
  });
  return { id, name };
}

async function anOwner(session: Client, { name }: { name: string }): Promise<UserDto> {
  const body = { email: `${uniqueName('o')}@${name}`, password: 'correct horse battery staple 1' };
  return must(session.post<UserDto>('/v1/users', { ...body, role: 'Owner' }), 201);
}

const nameOwners = (...owners: readonly UserDto[]) =>
  must(owner.put('/v1/sso/break-glass', { userIds: owners.map(({ id }) => id) }), 200);
const requireSso = (ssoRequired: boolean) => owner.patch(`/v1/domains/${domain.id}`, { ssoRequired });
const change = ({ id }: UserDto, to: object) => owner.patch<UserDto>(`/v1/users/${id}`, to);

beforeAll(async () => {
  [acme, globex] = [await createTenant(app), await createTenant(app)];
  owner = await steppedUp(app, acme);
  domain = await verifiedDomain(acme);
  const { certificate } = await SamlIdp.create();
  const saml = {
    entityId: 'https://idp.example',
    signOnUrl: 'https://idp.example/sso',
    certificates: [certificate],
  };
  await activeConnection(owner, { type: 'saml', saml });
});

describe('while passwords are refused for a domain', () => {
  it('there is an owner who can really use one: one who was named and is disabled since does not count', async () => {
    const named = await anOwner(owner, domain);
    await nameOwners(named);
    await must(change(named, { status: 'disabled' }), 200);
    expect(await refusal(requireSso(true))).toEqual({ status: 422, code: 'SSO_NOT_READY' });
    await must(change(named, { status: 'active', role: 'Admin' }), 200);
    expect(await refusal(requireSso(true))).toEqual({ status: 422, code: 'SSO_NOT_READY' });
    await must(change(named, { role: 'Owner' }), 200);
    await must(requireSso(true), 200);
  });

  it('the last one stays: not disabled, not demoted, not erased, not taken away by a directory', async () => {
    const [first, second] = [await anOwner(owner, domain), await anOwner(owner, domain)];
    await nameOwners(first, second);
    await must(requireSso(true), 200);
    await must(change(first, { role: 'Admin' }), 200);
    for (const to of [{ status: 'disabled' }, { role: 'Admin' }])
      expect(await refusal(change(second, to))).toEqual(LAST);
    expect(await refusal(owner.post(`/v1/users/${second.id}/erasure`))).toEqual(LAST);
    const { scim } = await createDirectory(app, acme);
    const made = await mustScim(scim.post('/Users', person({ userName: second.email ?? '' })), 201);
    expect(made.id).toBe(second.id);
    const deactivate = { op: 'replace', value: { active: false } };
    for (const reply of [
      await scim.patch(`/Users/${made.id}`, deactivate),
      await scim.delete(`/Users/${made.id}`),
    ]) {
      expect(reply.status).toBe(409);
      expect((reply.body as unknown as { detail: string }).detail).toMatch(/last Owner who may use one/);
    }
    // What else is changed of them is.
    await must(change(second, { displayName: 'Second' }), 200);
    // Nobody of another organisation counts, or is counted.
    const theirs = await anOwner(await steppedUp(app, globex), await verifiedDomain(globex));
    await must(globex.api.patch(`/v1/users/${theirs.id}`, { status: 'disabled' }), 200);
    await must(requireSso(false), 200);
    await must(change(second, { status: 'disabled' }), 200);
  });

  it('one stays of two who are disabled at once', async () => {
    const both = [await anOwner(owner, domain), await anOwner(owner, domain)];
    await nameOwners(...both);
    await must(requireSso(true), 200);
    const answers = await Promise.all(both.map((one) => change(one, { status: 'disabled' })));
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409]);
  });
});
