import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApplication, type Application } from '../support/application.js';
import { must, refusal, type Client } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { createTenant, type TestTenant } from '../support/tenants.js';

const RULES = '/v1/organisation/network-rules';
const ONLY_GERMANY = { mode: 'allow', countries: ['DE'], unknown: 'deny' };
const REFUSED = { status: 403, code: 'COUNTRY_NOT_ALLOWED' };

describe('the country that an edge reports', () => {
  let edged: Application;
  let tenant: TestTenant;
  const at = (country: string): Client => tenant.api.with({ 'cf-ipcountry': country });

  beforeAll(async () => {
    edged = await startApplication({ env: { TRUSTED_PROXIES: '1', GEO_COUNTRY_HEADER: 'CF-IPCountry' } });
    tenant = await createTenant(edged);
  });
  afterAll(() => edged.dispose());

  it('decides; what is no country, or said twice, is unknown', async () => {
    await must(at('DE').put(RULES, ONLY_GERMANY), 200);
    await eventually(async () => expect((await at('FR').get('/v1/me')).status).toBe(403), 30_000);
    expect((await at('DE').get('/v1/me')).status).toBe(200);
    expect((await at('de').get('/v1/me')).status).toBe(200);
    for (const country of ['XX', 'T1', '', 'DE, DE', 'FR,DE', 'Germany'])
      expect(await refusal(at(country).get('/v1/me'))).toEqual(REFUSED);
    expect(await refusal(tenant.api.get('/v1/me'))).toEqual(REFUSED);
  });
});
