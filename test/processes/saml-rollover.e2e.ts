import { inflateRawSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ConnectionDto } from '../../src/federation/connections.dto.js';
import { startFakeNameServer, type OwnNameServer } from '../fakes/name-server.js';
import { encode, SamlIdp } from '../fakes/saml-idp.js';
import { SamlpProvider } from '../fakes/samlp-provider.js';
import { startApplication, type Application } from '../support/application.js';
import { Browser } from '../support/browser.js';
import { must, type Client } from '../support/client.js';
import { besideEmbedded } from '../support/embedded-database.js';
import { activeConnection, ssoUrl, steppedUp, verifiedDomain } from '../support/single-sign-on.js';
import { createTenant, type TestTenant } from '../support/tenants.js';

let first: Application;
let second: Application;
let names: OwnNameServer;
let idp: SamlIdp;
let provider: SamlpProvider;
let acme: TestTenant;
let globex: TestTenant;
let owner: Client;
let domain: string;
let connection: ConnectionDto;
let theirs: ConnectionDto;

beforeAll(async () => {
  [names, idp] = [await startFakeNameServer(), await SamlIdp.create()];
  provider = await SamlpProvider.start(
    () => idp,
    () => ({ acsUrl: '', certificate: '' }),
  );
  provider.metadata = idp.metadata(provider.url);
  const env = { IDENTITY_PROVIDERS_ALLOW: '127.0.0.0/8', DNS_SERVERS: names.server };
  first = await startApplication({ env });
  const publicUrl = first.baseUrl.replace('127.0.0.1', 'localhost');
  second = await startApplication({
    home: first.home,
    env: { ...env, ...(await besideEmbedded(first.home)), PUBLIC_URL: publicUrl },
  });
  Object.assign(first, { baseUrl: publicUrl });
  [acme, globex] = [await createTenant(first), await createTenant(first)];
  owner = await steppedUp(first, acme);
  ({ name: domain } = await verifiedDomain(owner, names));
  const settings = { type: 'saml' as const, provisioning: true, linking: 'verified_email' as const };
  const saml = { metadataUrl: `${provider.url}/metadata`, idpInitiated: true };
  connection = await activeConnection(owner, { ...settings, saml });
  theirs = await activeConnection(await steppedUp(first, globex), { ...settings, saml });
});
afterAll(async () => {
  await second?.stop();
  await first.dispose();
  await Promise.all([names.close(), provider.close()]);
});
beforeEach(async () => {
  owner = await steppedUp(first, acme);
});

/** The provider signs with another key from now on, and publishes that one alone. */
async function rollOver(): Promise<SamlIdp> {
  const before = idp;
  idp = await SamlIdp.create();
  provider.metadata = idp.metadata(provider.url);
  return before;
}

interface Begun {
  readonly cookie: string;
  readonly requestId: string;
  readonly relayState: string;
}

async function begin(): Promise<Begun> {
  const browser = new Browser();
  const { location } = await browser.get(ssoUrl(first, acme, connection, 'start'));
  const query = new URL(location ?? '').searchParams;
  const xml = inflateRawSync(Buffer.from(query.get('SAMLRequest') ?? '', 'base64')).toString();
  return {
    cookie: browser.cookies(first.baseUrl),
    requestId: / ID="([^"]+)"/.exec(xml)?.[1] ?? '',
    relayState: query.get('RelayState') ?? '',
  };
}

function response(by: SamlIdp, requestId: string | undefined, nameId = 'ann'): string {
  const [acsUrl, audience] = ['acs', 'metadata'].map((what) => ssoUrl(first, acme, connection, what));
  const attributes = { email: [`${nameId}@${domain}`] };
  return encode(by.signed({ acsUrl: acsUrl ?? '', audience: audience ?? '', nameId, attributes, requestId }));
}

/** What comes of it, at one of the two processes. */
async function answered(at: Application, by: SamlIdp, begun?: Begun, nameId?: string): Promise<number> {
  const fields = {
    SAMLResponse: response(by, begun?.requestId, nameId),
    RelayState: begun?.relayState ?? '',
  };
  const headers: Record<string, string> = begun ? { cookie: begun.cookie } : {};
  return (await new Browser().post(ssoUrl(at, acme, connection, 'acs'), fields, headers)).status;
}

const lastError = async (): Promise<string | undefined> =>
  (await must(owner.get<ConnectionDto>(`/v1/sso/connections/${connection.id}`), 200)).lastError;

async function refreshes(): Promise<number> {
  const path = '/v1/audit/events?limit=50&action=sso_connection.metadata_refreshed';
  return (await must(acme.api.get<{ items: object[] }>(path), 200)).items.length;
}

describe('a provider that replaces its certificate', () => {
  it('costs none of twenty sign-ins that end at once, in two processes, and is one event', async () => {
    const twenty: Begun[] = [];
    for (let nth = 0; nth < 20; nth += 1) twenty.push(await begin());
    // Somebody is known, so that only the certificate is new.
    const [known, ...others] = twenty;
    expect(await answered(first, idp, known)).toBe(302);
    const before = await refreshes();
    const former = await rollOver();
    const statuses = await Promise.all(
      [...others, await begin()].map((begun, nth) => answered(nth % 2 === 0 ? first : second, idp, begun)),
    );
    expect(statuses, first.logs() + second.logs()).toEqual(Array.from({ length: 20 }, () => 302));
    expect(await refreshes()).toBe(before + 1);
    expect(await answered(first, former, await begin())).toBe(401);
    // The same provider's certificates of another organisation are its own: asked for when its people come.
    const path = `/v1/sso/connections/${theirs.id}`;
    const untouched = await must((await steppedUp(first, globex)).get<ConnectionDto>(path), 200);
    expect(untouched.saml?.certificates).not.toEqual(
      (await must(owner.get<ConnectionDto>(`/v1/sso/connections/${connection.id}`), 200)).saml?.certificates,
    );
  });

  it('costs nobody a sign-in although a forged response had it read again a moment before', async () => {
    const forger = await SamlIdp.create();
    const begun = [await begin(), await begin(), await begin()];
    const read = provider.metadataReads;
    expect(await answered(first, forger, begun[0])).toBe(401);
    await rollOver();
    expect(await Promise.all([1, 2].map((nth) => answered(first, idp, begun[nth])))).toEqual([302, 302]);
    expect(provider.metadataReads).toBe(read + 2);
  });

  it('is known to a sign-in and a logout that begin there', async () => {
    await rollOver();
    expect(await answered(first, idp)).toBe(302);
    await rollOver();
    const destination = ssoUrl(first, acme, connection, 'logout');
    const query = idp.logoutQuery({ destination, nameId: 'ann' });
    expect((await new Browser().get(`${destination}?${query}`)).status).toBe(302);
  });

  it('and publishes nothing that can be read: told in words, until it does', async () => {
    const begun = [await begin(), await begin(), await begin()];
    const former = await rollOver();
    const published = provider.metadata;
    provider.metadata = published.replace('entityID="', 'entityID="https://other.example/');
    expect(await answered(first, idp, begun[0])).toBe(401);
    const said = /^SAML_METADATA: .* it names another entity id than the connection\.$/;
    expect(await lastError()).toMatch(said);
    // A sign-in by the former key says nothing of it.
    expect(await answered(first, former, begun[1])).toBe(302);
    expect(await lastError()).toMatch(said);
    provider.metadata = published;
    expect(await answered(first, idp, begun[2])).toBe(302);
    expect(await lastError()).toBeUndefined();
  });
});
