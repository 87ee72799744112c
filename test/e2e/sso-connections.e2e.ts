import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ConnectionDto } from '../../src/federation/connections.dto.js';
import type { SetupDto } from '../../src/federation/setup.dto.js';
import type { TestReportDto } from '../../src/federation/tests.dto.js';
import { encode } from '../fakes/saml-idp.js';
import { formOf } from '../fakes/samlp-provider.js';
import { Browser } from '../support/browser.js';
import { must, refusal } from '../support/client.js';
import { SamlSignIns } from '../support/saml-sign-ins.js';
import { sharedSite } from '../support/shared-application.js';
import { steppedUp } from '../support/single-sign-on.js';
import { createPerson, createTenant, type TestTenant } from '../support/tenants.js';

const app = sharedSite();
let sso: SamlSignIns;
let globex: TestTenant;
beforeAll(async () => {
  sso = await SamlSignIns.begin();
  globex = await createTenant(app);
});
afterAll(() => sso.end());
beforeEach(() => sso.honest());

describe('the test of a connection', () => {
  it('shows each claim, what it meant and why, opens no session, and is kept for those who administer it', async () => {
    expect((await sso.signIn()).status).toBe(302);
    const { url } = await must(sso.owner.post<{ url: string }>(`${sso.path}/test`), 200);
    const browser = new Browser();
    const { location } = await browser.get(url);
    const fields = formOf((await browser.get(location ?? '')).body).fields;
    const page = await browser.post(sso.our.acsUrl, fields);
    const report = page.body as TestReportDto;
    expect(report).toMatchObject({
      works: true,
      account: 'known',
      subject: 'ann',
      claims: { email: [sso.address('ann')], groups: ['staff', 'builders'] },
      mapped: { role: 'Developer', roleBecause: 'groups has the value builders' },
    });
    expect(page.headers.getSetCookie().join()).not.toContain('waxell_session');
    expect(await sso.lastEvent('sso_connection.test_received')).toMatchObject({ outcome: 'success' });
    expect((await browser.get(url)).status).toBe(401);
    const tests = `${sso.path}/tests`;
    const { items } = await must(sso.tenant.api.get<{ items: TestReportDto[] }>(tests), 200);
    expect(items[0]).toEqual({ ...report, at: expect.any(String) as string });
    expect((await globex.api.get(tests)).status).toBe(404);
    const developer = await createPerson(sso.tenant.api, 'Developer');
    expect(await refusal((await steppedUp(app, sso.tenant, developer)).get(tests))).toMatchObject({
      status: 403,
    });
  });

  it('says in words why it would not have been a sign-in, and keeps the last ten', async () => {
    sso.provider.user = { id: 'stranger', attributes: { email: 'stranger@elsewhere.example' } };
    for (let times = 0; times < 11; times += 1) {
      const { url } = await must(sso.owner.post<{ url: string }>(`${sso.path}/test`), 200);
      const browser = new Browser();
      const { location } = await browser.get(url);
      const { fields } = formOf((await browser.get(location ?? '')).body);
      const { body } = await browser.post(
        sso.our.acsUrl,
        times === 10 ? { ...fields, SAMLResponse: encode('<a/>') } : fields,
      );
      expect(body).toMatchObject(
        times === 10
          ? { works: false, code: 'SAML_MALFORMED', claims: {} }
          : {
              works: false,
              code: 'SSO_EMAIL_DOMAIN',
              why: 'The e-mail address is not of a domain that is verified for the organisation.',
            },
      );
    }
    const { items } = await must(sso.tenant.api.get<{ items: TestReportDto[] }>(`${sso.path}/tests`), 200);
    expect(items).toHaveLength(10);
    expect(items[0]?.code).toBe('SAML_MALFORMED');
  });
});

describe('the settings of a connection', () => {
  it('are an administrator’s who has proved the password, and nobody else’s', async () => {
    const body = { name: 'x', type: 'oidc', oidc: { issuer: 'https://sso.idp.example', clientId: 'c' } };
    expect(await refusal(sso.tenant.api.post('/v1/sso/connections', body))).toEqual({
      status: 403,
      code: 'STEP_UP_NEEDS_SESSION',
    });
    const developer = await steppedUp(app, sso.tenant, await createPerson(sso.tenant.api, 'Developer'));
    expect(await refusal(developer.post('/v1/sso/connections', body))).toEqual({
      status: 403,
      code: 'PERMISSION_DENIED',
    });
    expect(await refusal(developer.get('/v1/sso/connections'))).toEqual({
      status: 403,
      code: 'PERMISSION_DENIED',
    });
    for (const path of ['', '/setup', '/tests'])
      expect(await refusal(globex.api.get(`${sso.path}${path}`))).toEqual({
        status: 404,
        code: 'NOT_FOUND',
      });
  });

  it('never say a secret, and say what to paste where', async () => {
    const secret = 'the secret of the client';
    const made = await must(
      sso.owner.post<ConnectionDto>('/v1/sso/connections', {
        name: 'Entra',
        type: 'oidc',
        oidc: {
          provider: 'entra',
          issuer: 'https://login.microsoftonline.com/b5a920d6-7d3c-44fe-baad-4ffed6b8774d/v2.0',
          clientId: 'c',
          clientSecret: secret,
        },
      }),
      201,
    );
    expect(made).toMatchObject({ state: 'draft', highestRole: 'Owner' });
    const read = await must(sso.tenant.api.get(`/v1/sso/connections/${made.id}`), 200);
    const events = await must(
      sso.tenant.api.get('/v1/audit/events?limit=20&action=sso_connection.created'),
      200,
    );
    for (const shown of [made, read, events]) expect(JSON.stringify(shown)).not.toContain(secret);
    const setup = await must(sso.tenant.api.get<SetupDto>(`/v1/sso/connections/${made.id}/setup`), 200);
    expect(setup).toMatchObject({
      guide: 'docs/sso/entra-id.md',
      redirectUri: sso.url('callback', made),
    });
    expect((await new Browser().get(sso.url('start', made))).status).toBe(404);
    await must(sso.owner.delete(`/v1/sso/connections/${made.id}`), 204);
  });

  it.each<[string, object, string]>([
    [
      'an issuer of Entra ID for everybody',
      { issuer: 'https://login.microsoftonline.com/common/v2.0', clientId: 'c' },
      '/oidc/issuer',
    ],
    [
      'Google without a Workspace',
      { issuer: 'https://accounts.google.com', clientId: 'c' },
      '/oidc/hostedDomain',
    ],
    ['no client', { issuer: 'https://sso.idp.example' }, '/oidc/clientId'],
    ['an issuer with a query', { issuer: 'https://sso.idp.example?x=1', clientId: 'c' }, '/oidc/issuer'],
  ])('refuse %s, and name the field', async (_name, oidc, pointer) => {
    const { status, body } = await sso.owner.post<{ errors: { pointer: string }[] }>('/v1/sso/connections', {
      name: 'x',
      type: 'oidc',
      oidc,
    });
    expect([status, body.errors.map((error) => error.pointer)]).toEqual([400, [pointer]]);
  });

  it('reach no address of the operator’s own network', async () => {
    const url = 'http://169.254.169.254/latest/meta-data';
    const saml = sso.owner.post('/v1/sso/connections', {
      name: 'x',
      type: 'saml',
      saml: { metadataUrl: url },
    });
    expect(await refusal(saml)).toEqual({ status: 422, code: 'PROVIDER_UNREACHABLE' });
    const made = await must(
      sso.owner.post<ConnectionDto>('/v1/sso/connections', {
        name: 'x',
        type: 'oidc',
        oidc: { issuer: url, clientId: 'c' },
      }),
      201,
    );
    expect(await refusal(sso.owner.patch(`/v1/sso/connections/${made.id}`, { state: 'active' }))).toEqual({
      status: 422,
      code: 'PROVIDER_UNREACHABLE',
    });
    await must(sso.owner.delete(`/v1/sso/connections/${made.id}`), 204);
  });
});
