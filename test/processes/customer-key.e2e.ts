import { afterAll, beforeAll, expect, it } from 'vitest';
import type { KeysDto } from '../../src/keys/keys.dto.js';
import { startFakeKms, type FakeKms } from '../fakes/kms.js';
import { publishedAgent, runIn, startRun } from '../support/agents.js';
import { startApplication, type Application } from '../support/application.js';
import { client, must, refusal, type Client } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { verified } from '../support/log-book.js';
import { createTenant, signIn, type TestTenant } from '../support/tenants.js';

const WAIT_MS = 40_000;

let fake: FakeKms;
let app: Application;
let acme: TestTenant;
let neighbour: TestTenant;

beforeAll(async () => {
  // The embedded cells are of two regions.
  fake = await startFakeKms({ everyRegion: true });
  const { accessKeyId, secretAccessKey } = fake.credentials;
  app = await startApplication({
    first: true,
    env: {
      AWS_REGION: fake.region,
      AWS_KMS_ENDPOINT: fake.endpoint,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
    },
  });
  [acme, neighbour] = [await createTenant(app), await createTenant(app)];
});
afterAll(async () => {
  await app.dispose();
  await fake.close();
});

async function owner(): Promise<Client> {
  const { accessToken } = await signIn(app, acme.slug, acme.owner);
  const api = client(app.baseUrl, accessToken);
  await must(api.post('/v1/auth/step-up', { password: acme.owner.password }), 200);
  return api;
}

const keys = (): Promise<KeysDto> => must(acme.api.get<KeysDto>('/v1/keys'), 200);

it('a key that the customer keeps is attached and held, revoked, given back and detached through the API', async () => {
  const arn = fake.newKey();
  await must((await owner()).put('/v1/keys/customer-key', { arn, mode: 'hold' }), 202);
  await eventually(async () => expect(await keys()).toMatchObject({ rotation: { status: 'done' } }), WAIT_MS);
  expect(await keys()).toMatchObject({ custody: 'customer', customerKey: arn, mode: 'hold' });
  await must(acme.api.get('/v1/users'), 200);
  const before = fake.count('GenerateDataKey');
  const agent = await publishedAgent(acme.api, { apiKeys: { openai: 'sk-held' } });
  const run = await runIn(acme.api, (await startRun(acme.api, agent.id, 'held input')).id);
  expect(JSON.stringify(run.output)).toContain('held input');
  // Provider keys, input, output, and each event of the run.
  expect(fake.count('GenerateDataKey') - before).toBeGreaterThan(4);

  // A list shows no provider keys, and asks for none, in a process that has opened none.
  await app.restart();
  const ofAgents = (): number => fake.contexts.filter(({ table }) => table === 'agents').length;
  const asked = ofAgents();
  expect(asked).toBeGreaterThan(0);
  const listed = await must(acme.api.get<{ items: object[] }>('/v1/agents'), 200);
  expect(listed.items).toContainEqual(expect.objectContaining({ id: agent.id, apiKeyProviders: ['openai'] }));
  expect(ofAgents()).toBe(asked);

  fake.deny(arn, true);
  // A process that has nothing in memory asks at once.
  await app.restart();
  const refused = { status: 503, code: 'KEYS_REFUSED' };
  expect(await refusal(acme.api.get('/v1/users'))).toEqual(refused);
  const anyone = client(app.baseUrl, undefined, { 'x-tenant-slug': acme.slug });
  const { email, password } = acme.owner;
  expect(await refusal(anyone.post('/v1/auth/login', { email, password }))).toEqual(refused);
  await must(neighbour.api.get('/v1/users'), 200);

  fake.deny(arn, false);
  await eventually(() => must(acme.api.get('/v1/users'), 200), WAIT_MS);
  const events = await acme.api.all<{ reason?: string }>('/v1/audit/events');
  expect(events.filter(({ reason }) => reason === 'KEYS_REFUSED').length).toBeGreaterThanOrEqual(2);
  await verified(acme.api);

  await must((await owner()).send('DELETE', '/v1/keys/customer-key'), 202);
  await eventually(async () => expect(await keys()).toMatchObject({ custody: 'platform' }), WAIT_MS);
  fake.deny(arn, true);
  await must(acme.api.get('/v1/users'), 200);
});
