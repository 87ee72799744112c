import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { client, must, refusal } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { SamlSignIns } from '../support/saml-sign-ins.js';
import { sharedNames, sharedSite } from '../support/shared-application.js';
import { steppedUp, verifiedDomain } from '../support/single-sign-on.js';
import { createPerson, createTenant, type TestTenant } from '../support/tenants.js';

const app = sharedSite();
const names = sharedNames();
let sso: SamlSignIns;
let globex: TestTenant;
beforeAll(async () => {
  sso = await SamlSignIns.begin();
  globex = await createTenant(app);
});
afterAll(() => sso.end());
beforeEach(() => sso.honest());

describe('a domain', () => {
  it('is verified by its DNS, and by nothing less', async () => {
    const added = await must(
      sso.owner.post<{ id: string; record: { host: string; value: string } }>('/v1/domains', {
        name: `x-${sso.domain.name}`,
      }),
      201,
    );
    const verify = () => sso.owner.post(`/v1/domains/${added.id}/verify`);
    expect(await refusal(verify())).toEqual({ status: 422, code: 'DOMAIN_NOT_PROVEN' });
    for (const wrong of [
      `${added.record.value}x`,
      added.record.value.slice(0, -1),
      added.record.value.toUpperCase(),
      '',
    ]) {
      await names.set(added.record.host, [wrong]);
      expect(await refusal(verify())).toEqual({ status: 422, code: 'DOMAIN_NOT_PROVEN' });
    }
    await names.silence(added.record.host);
    expect(await refusal(verify())).toEqual({ status: 503, code: 'UNAVAILABLE' });
    await names.set(added.record.host, ['another', added.record.value]);
    expect((await verify()).status).toBe(200);
  });

  it('is one organisation’s in the whole installation, until it lets go of it', async () => {
    const theirs = await steppedUp(app, globex);
    const added = await must(
      theirs.post<{ id: string; record: { host: string; value: string } }>('/v1/domains', {
        name: sso.domain.name.toUpperCase(),
      }),
      201,
    );
    await names.set(added.record.host, [sso.domain.record.value, added.record.value]);
    expect(await refusal(theirs.post(`/v1/domains/${added.id}/verify`))).toEqual({
      status: 409,
      code: 'DOMAIN_TAKEN',
    });
    const [mine] = [await verifiedDomain(sso.owner, names)];
    expect(await refusal(theirs.delete(`/v1/domains/${mine.id}`))).toMatchObject({ status: 404 });
    const next = await must(
      theirs.post<{ id: string; record: { host: string; value: string } }>('/v1/domains', {
        name: mine.name,
      }),
      201,
    );
    await names.set(next.record.host, [next.record.value]);
    expect(await refusal(theirs.post(`/v1/domains/${next.id}/verify`))).toEqual({
      status: 409,
      code: 'DOMAIN_TAKEN',
    });
    expect((await sso.owner.delete(`/v1/domains/${mine.id}`)).status).toBe(204);
    expect((await theirs.post(`/v1/domains/${next.id}/verify`)).status).toBe(200);
  });

  it('leads to where its people sign in, whoever they are, and others nowhere', async () => {
    const anyone = client(app.baseUrl);
    const discover = (email: string) => must(anyone.post<object>('/v1/auth/discover', { email }), 200);
    const known = await discover(sso.address('ann'));
    expect(known).toEqual({ method: 'sso', startUrl: sso.url('start') });
    expect(await discover(sso.address('nobody-at-all'))).toEqual(known);
    expect(await discover('ann@elsewhere.example')).toEqual({ method: 'password' });
    expect(await discover(`ann@sub.${sso.domain.name}`)).toEqual({ method: 'password' });
  });

  it('refuses passwords where it is told to, but those of named owners, whose use is an alert', async () => {
    const person = {
      email: sso.address('pat'),
      password: 'correct horse battery staple 1',
      role: 'Developer',
    };
    const boss = { email: sso.address('boss'), password: 'correct horse battery staple 1', role: 'Owner' };
    await must(sso.tenant.api.post('/v1/users', person), 201);
    const { id } = await must(sso.tenant.api.post<{ id: string }>('/v1/users', boss), 201);
    const require = (ssoRequired: boolean) =>
      sso.owner.patch(`/v1/domains/${sso.domain.id}`, { ssoRequired });
    expect(await refusal(require(true))).toEqual({ status: 422, code: 'SSO_NOT_READY' });
    const viewer = await createPerson(sso.tenant.api, 'Viewer');
    expect(await refusal(sso.owner.put('/v1/sso/break-glass', { userIds: [viewer.id] }))).toEqual({
      status: 422,
      code: 'BREAK_GLASS_UNFIT',
    });
    await must(sso.owner.put('/v1/sso/break-glass', { userIds: [id] }), 200);
    await must(require(true), 200);
    const login = ({ email, password }: { email: string; password: string }) =>
      client(app.baseUrl, undefined, { 'x-tenant-slug': sso.tenant.slug }).post('/v1/auth/login', {
        email,
        password,
      });
    expect(await refusal(login(person))).toEqual({ status: 403, code: 'SSO_REQUIRED' });
    // Nothing of who there is: a wrong password, and a person there is none of, answer as ever.
    expect(await refusal(login({ ...person, password: 'wrong' }))).toEqual({
      status: 401,
      code: 'SIGN_IN_FAILED',
    });
    expect(await refusal(login({ ...person, email: sso.address('nobody') }))).toEqual({
      status: 401,
      code: 'SIGN_IN_FAILED',
    });
    expect((await login(boss)).status).toBe(200);
    expect((await sso.lastEvent('session.created'))?.changes).toMatchObject({
      method: 'break_glass',
      user: id,
    });
    await eventually(async () => {
      const { items } = await must(
        sso.tenant.api.get<{ items: { rule: string; severity: string }[] }>('/v1/alerts?limit=50'),
        200,
      );
      expect(items.map(({ rule, severity }) => [rule, severity])).toContainEqual([
        'sign_in.break_glass',
        'P1',
      ]);
    }, 20_000);
    // Other domains' people use theirs.
    expect((await login(sso.tenant.owner)).status).toBe(200);
    expect(await refusal(sso.owner.patch(sso.path, { state: 'disabled' }))).toEqual({
      status: 409,
      code: 'CONNECTION_NEEDED',
    });
    expect(await refusal(sso.owner.delete(sso.path))).toEqual({
      status: 409,
      code: 'CONNECTION_NEEDED',
    });
    expect(await refusal(sso.owner.put('/v1/sso/break-glass', { userIds: [] }))).toEqual({
      status: 422,
      code: 'SSO_NOT_READY',
    });
    await must(require(false), 200);
    expect((await login(person)).status).toBe(200);
  });
});
