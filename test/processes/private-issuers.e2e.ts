import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WorkloadIssuer } from '../fakes/workload-issuer.js';
import { startApplication, type Application } from '../support/application.js';
import { federatedClient, showToken } from '../support/federated.js';
import { issuerOf, saidOf } from '../support/oauth.js';
import { createTenant } from '../support/tenants.js';

// One whose operator has opened nothing: that of other tests may reach issuers on this machine.
let app: Application;
let issuer: WorkloadIssuer;

beforeAll(async () => {
  [app, issuer] = await Promise.all([startApplication(), WorkloadIssuer.start()]);
});
afterAll(async () => {
  await app.dispose();
  await issuer.close();
});

describe('the endpoint for tokens', () => {
  it('asks no address of the operator’s network for keys', async () => {
    const one = await federatedClient((await createTenant(app)).api, issuer);
    const answer = await showToken(app.baseUrl, one, await issuer.token(issuerOf(app.baseUrl)));
    expect(saidOf(answer)).toEqual({ status: 503, error: 'temporarily_unavailable' });
    expect(issuer.times).toBe(0);
  });
});
