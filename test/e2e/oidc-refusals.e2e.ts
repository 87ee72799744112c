import type { JWTPayload } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ConnectionDto } from '../../src/federation/connections.dto.js';
import type { TestReportDto } from '../../src/federation/tests.dto.js';
import { CLIENT, OidcIssuer } from '../fakes/oidc-issuer.js';
import { Browser } from '../support/browser.js';
import { must } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { resigned, signedBySecret, unsigned, withClaims, withHeader } from '../support/forged-jwts.js';
import { OidcSignIns } from '../support/oidc-sign-ins.js';
import { sharedSite } from '../support/shared-application.js';
import { steppedUp } from '../support/single-sign-on.js';
import { createTenant } from '../support/tenants.js';

const app = sharedSite();
let sso: OidcSignIns;
beforeAll(async () => {
  sso = await OidcSignIns.begin();
});
afterAll(() => sso.end());
afterEach(() => sso.issuer.honest());

describe('an answer that is not the provider’s own, or not to this sign-in, is refused', () => {
  const seconds = (): number => Math.floor(Date.now() / 1_000);
  it.each<[string, () => JWTPayload]>([
    ['another nonce', () => ({ nonce: 'another' })],
    ['no nonce', () => ({ nonce: undefined })],
    ['another issuer', () => ({ iss: 'https://evil.example' })],
    ['another audience', () => ({ aud: 'another-client' })],
    ['a second audience without azp', () => ({ aud: [CLIENT.id, 'another'], azp: 'another' })],
    ['an ID token that has expired', () => ({ iat: seconds() - 900, exp: seconds() - 300 })],
    [
      'an ID token of the future',
      () => ({ iat: seconds() + 600, nbf: seconds() + 600, exp: seconds() + 900 }),
    ],
    ['no subject', () => ({ sub: undefined })],
    ['no expiry', () => ({ exp: undefined })],
  ])('%s', async (_name, claims) => {
    expect(await sso.refusedWith(await sso.attempt(sso.ann(claims())))).toBe('OIDC_RESPONSE_INVALID');
  });

  it.each<[string, (token: string) => Promise<string> | string]>([
    ['no signature', unsigned],
    ['a signature by another key', resigned],
    ['a signature by the client’s secret (HS256)', (token) => signedBySecret(token, CLIENT.secret)],
    ['claims that were changed after signing', (token) => withClaims({ sub: 'owner' }, token)],
    [
      'an algorithm that the provider does not publish',
      (token) => withHeader({ alg: 'ES512', kid: 'x' }, token),
    ],
  ])('%s', async (_name, forge) => {
    sso.issuer.forge = forge;
    expect(await sso.refusedWith(await sso.attempt(sso.ann()))).toBe('OIDC_RESPONSE_INVALID');
  });

  it('another issuer in the answer (RFC 9207), or none where the provider says that it sends one', async () => {
    for (const iss of ['https://evil.example', '']) {
      const browser = new Browser();
      sso.issuer.claims = sso.ann();
      const { location } = await sso.start(browser);
      const back = new URL(sso.issuer.approve(location ?? '', iss === '' ? {} : { iss }));
      if (iss === '') back.searchParams.delete('iss');
      expect(await sso.refusedWith(await browser.get(back.href))).toBe('OIDC_RESPONSE_INVALID');
    }
  });

  it('an error of the provider, told as such, and kept as the last error of the connection', async () => {
    const browser = new Browser();
    const { location } = await sso.start(browser);
    const { redirectUri, state } = sso.issuer.read(location ?? '');
    const back = `${redirectUri}?${new URLSearchParams({ error: 'access_denied', state, iss: sso.issuer.url }).toString()}`;
    expect(await sso.refusedWith(await browser.get(back))).toBe('SSO_PROVIDER_ERROR');
    const after = await must(sso.tenant.api.get<ConnectionDto>(sso.path), 200);
    expect(after.lastError).toMatch(/^SSO_PROVIDER_ERROR: .* It says: access_denied\.$/);
    expect((await sso.attempt(sso.ann())).status).toBe(302);
    const healed = await must(sso.tenant.api.get<ConnectionDto>(sso.path), 200);
    expect(healed.lastError).toBeUndefined();
  });

  it.each<[string, Partial<Record<'tokenError' | 'challenge', string>>, RegExp]>([
    [
      'a secret that has expired',
      { tokenError: 'invalid_client' },
      /^OIDC_CLIENT_REFUSED: .* It says: invalid_client\.$/,
    ],
    [
      'a client that is refused by 401 alone',
      { challenge: 'Basic realm="x"' },
      /^OIDC_CLIENT_REFUSED: [^:]*: [^:]*\.$/,
    ],
    [
      'a code that is refused',
      { tokenError: 'invalid_grant' },
      /^OIDC_RESPONSE_INVALID: .* It says: invalid_grant\.$/,
    ],
    ['a code that is none', { tokenError: '<b>s3cret</b>' }, /^OIDC_RESPONSE_INVALID: The answer [^:]*\.$/],
  ])('%s, told in words, by the button too', async (_name, wrong, said) => {
    sso.issuer.wrong = wrong;
    expect((await sso.attempt(sso.ann())).status).toBe(401);
    const path = sso.path;
    const { lastError = '' } = await must(sso.tenant.api.get<ConnectionDto>(path), 200);
    expect(lastError).toMatch(said);
    const { url } = await must(sso.owner.post<{ url: string }>(`${path}/test`), 200);
    const browser = new Browser();
    const { location } = await browser.get(url);
    const { status, body } = await browser.get(sso.issuer.approve(location ?? ''));
    const { works, code, why } = body as TestReportDto;
    expect([status, works, `${code}: ${why}`]).toEqual([200, false, lastError]);
  });

  it('a provider that is not there, told in words, by the button too', async () => {
    const gone = await OidcIssuer.start();
    const settings = { issuer: gone.url, clientId: CLIENT.id, clientSecret: CLIENT.secret };
    const draft = sso.owner.post<ConnectionDto>('/v1/sso/connections', {
      name: 'gone',
      type: 'oidc',
      oidc: settings,
    });
    const { id } = await must(draft, 201);
    await gone.close();
    const ordered = await must(sso.owner.post<{ url: string }>(`/v1/sso/connections/${id}/test`), 200);
    const { status, body } = await new Browser().get(ordered.url);
    expect(status).toBe(200);
    expect(body).toMatchObject({ works: false, code: 'SSO_PROVIDER_UNREACHABLE', claims: {} });
    const reports = sso.owner.get<{ items: TestReportDto[] }>(`/v1/sso/connections/${id}/tests`);
    expect((await must(reports, 200)).items).toHaveLength(1);
    // An order is good for one.
    expect((await new Browser().get(ordered.url)).status).toBe(401);
    await asSuperuser(app.home, 'us-east-1', (database) =>
      database.query({
        text: `UPDATE "${sso.tenant.id}".sso_connections SET state = 'active' WHERE id = $1`,
        values: [id],
      }),
    );
    expect((await new Browser().get(sso.url('start', { id }))).status).toBe(422);
    const { lastError } = await must(sso.tenant.api.get<ConnectionDto>(`/v1/sso/connections/${id}`), 200);
    expect(lastError).toMatch(
      /^SSO_PROVIDER_UNREACHABLE: The provider did not answer, or not as the standard says\. ./,
    );
    await must(sso.owner.delete(`/v1/sso/connections/${id}`), 204);
  });

  it('a second time', async () => {
    const browser = new Browser();
    sso.issuer.claims = sso.ann();
    const { location } = await sso.start(browser);
    const cookie = browser.cookies(app.baseUrl);
    const back = sso.issuer.approve(location ?? '');
    expect((await browser.get(back)).status).toBe(302);
    expect(await sso.refusedWith(await new Browser().get(back, { cookie }))).toBe('SSO_STATE_UNKNOWN');
  });

  it('from another browser, which does not spoil it for the one that began', async () => {
    const browser = new Browser();
    sso.issuer.claims = sso.ann();
    const { location } = await sso.start(browser);
    const back = sso.issuer.approve(location ?? '');
    expect(await sso.refusedWith(await new Browser().get(back))).toBe('SSO_BROWSER_OTHER');
    const other = new Browser();
    await sso.start(other);
    expect(await sso.refusedWith(await other.get(back))).toBe('SSO_BROWSER_OTHER');
    expect((await browser.get(back)).status).toBe(302);
  });

  it('to another connection or organisation than the one it began at', async () => {
    const globex = await createTenant(app);
    const theirs = await sso.connect(await steppedUp(app, globex));
    const browser = new Browser();
    const { location } = await sso.start(browser);
    const back = sso.issuer.approve(location ?? '');
    const elsewhere = back.replace(sso.tenant.id, globex.id).replace(sso.connection.id, theirs.id);
    expect((await browser.get(elsewhere)).body).toMatchObject({ code: 'SSO_FAILED' });
    expect((await browser.get(back.replace(sso.tenant.id, globex.id))).status).toBe(404);
    expect((await browser.get(sso.url('start', sso.connection, globex))).status).toBe(404);
  });

  it('two at once, of which one counts', async () => {
    const browser = new Browser();
    sso.issuer.claims = sso.ann();
    const { location } = await sso.start(browser);
    const cookie = browser.cookies(app.baseUrl);
    const back = sso.issuer.approve(location ?? '');
    const pages = await Promise.all([1, 2, 3, 4].map(() => new Browser().get(back, { cookie })));
    expect(pages.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([302, 401, 401, 401]);
  });
});
