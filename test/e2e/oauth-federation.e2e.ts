import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClientDto, CreatedClientDto } from '../../src/oauth/clients.dto.js';
import type { ServerMetadataDto } from '../../src/oauth/oauth.dto.js';
import { WorkloadIssuer } from '../fakes/workload-issuer.js';
import { client, must, refusal } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { federatedClient } from '../support/federated.js';
import { createClient, issuerOf, tokenOf } from '../support/oauth.js';
import { sharedApplication } from '../support/shared-application.js';
import { createTenant, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const PATH = '/v1/oauth-clients';
const BODY = {
  name: 'x',
  role: 'Developer',
  scopes: ['agent:read'],
  authentication: 'federated_token',
  federation: { issuer: 'https://token.actions.githubusercontent.com', subject: 'repo:acme/app' },
};
const INVALID = { status: 400, code: 'INVALID_REQUEST' };
let acme: TestTenant;
let issuer: WorkloadIssuer;
let one: CreatedClientDto;

beforeAll(async () => {
  [acme, issuer] = await Promise.all([createTenant(app), WorkloadIssuer.start()]);
  one = await federatedClient(acme.api, issuer);
});
afterAll(() => issuer.close());

describe('setting a client for which an issuer vouches', () => {
  const make = (body: object) => acme.api.post<CreatedClientDto>(PATH, { ...BODY, ...body });

  it('takes whom it trusts, for us where nothing else is said', async () => {
    const { federation, clientSecret } = await must(make({}), 201);
    expect(federation).toEqual({ ...BODY.federation, audience: issuerOf(app.baseUrl) });
    expect(clientSecret).toBeUndefined();
    const audience = 'api://b5ba7a93-4452-4522-aeb4-a2b5da870c16';
    const own = await must(make({ federation: { ...BODY.federation, audience } }), 201);
    expect((await must(acme.api.get<ClientDto>(`${PATH}/${own.id}`), 200)).federation?.audience).toBe(
      audience,
    );
    const [event] = await acme.api.all<object>('/v1/audit/events?action=oauth_client.created');
    expect(event).toMatchObject({ changes: { federation: own.federation } });
  });

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a text', 'https://issuer.example'],
    ['an issuer alone', { issuer: 'https://issuer.example' }],
    ['a subject alone', { subject: 'x' }],
    ['an empty subject', { ...BODY.federation, subject: '' }],
    ['a subject that is no text', { ...BODY.federation, subject: ['x'] }],
    ['a subject of a novel', { ...BODY.federation, subject: 'x'.repeat(1_001) }],
    ['several audiences', { ...BODY.federation, audience: ['a', 'b'] }],
    ['an empty audience', { ...BODY.federation, audience: '' }],
    ['keys of its own choice', { ...BODY.federation, jwksUri: 'https://issuer.example/keys' }],
    ...[
      'issuer.example',
      'ftp://issuer.example',
      'https://issuer.example?tenant=1',
      'https://issuer.example#1',
      'https://*.issuer.example',
      'https://issuer.example/*',
      'https://user:pass@issuer.example',
      `https://issuer.example/${'x'.repeat(1_000)}`,
      7,
    ].map((wrong): [string, unknown] => [`the issuer ${wrong}`, { ...BODY.federation, issuer: wrong }]),
  ])('does not take %s', async (_what, federation) => {
    expect(await refusal(make({ federation }))).toEqual(INVALID);
    if (federation !== undefined)
      expect(await refusal(acme.api.patch(`${PATH}/${one.id}`, { federation }))).toEqual(INVALID);
  });

  it('is for such a client alone, which has neither keys nor a secret', async () => {
    const publicKeys = [{ kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' }];
    const { federation } = BODY;
    for (const body of [{ authentication: 'client_secret' }, { authentication: 'private_key_jwt' }])
      expect(await refusal(make(body))).toEqual(INVALID);
    expect(await refusal(make({ publicKeys }))).toEqual(INVALID);
    const secret = await createClient(acme.api);
    expect(await refusal(acme.api.patch(`${PATH}/${secret.id}`, { federation }))).toEqual(INVALID);
    expect(await refusal(acme.api.patch(`${PATH}/${one.id}`, { publicKeys }))).toEqual(INVALID);
    expect(await refusal(acme.api.post(`${PATH}/${one.id}/rotate-secret`, {}))).toEqual({
      status: 422,
      code: 'CLIENT_HAS_NO_SECRET',
    });
    const set = asSuperuser(app.home, 'us-east-1', (database) =>
      database.query(`UPDATE ${acme.id}.oauth_clients SET federation = NULL WHERE id = $1`, [one.id]),
    );
    await expect(set).rejects.toThrow('oauth_clients_federation_check');
  });

  it('is a matter of the organisation, and of who may set its clients', async () => {
    const other = await createTenant(app);
    const { federation } = BODY;
    expect((await other.api.patch(`${PATH}/${one.id}`, { federation })).status).toBe(404);
    const owners = await federatedClient(acme.api, issuer, {}, { role: 'Owner' });
    const admin = await createClient(acme.api, { role: 'Admin' });
    const api = client(app.baseUrl, await tokenOf(app.baseUrl, admin));
    // Whom it trusts could become an Owner.
    expect((await refusal(api.patch(`${PATH}/${owners.id}`, { federation }))).code).toBe('GRANT_EXCEEDS_OWN');
  });
});

describe('the endpoint for tokens', () => {
  it('names no way that libraries do not know', async () => {
    const url = '/.well-known/oauth-authorization-server';
    const metadata = await must(client(app.baseUrl).get<ServerMetadataDto>(url), 200);
    expect(metadata.token_endpoint_auth_methods_supported).toEqual([
      'client_secret_basic',
      'client_secret_post',
      'private_key_jwt',
      'none',
    ]);
  });
});
