import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { KeysDto } from '../../src/keys/keys.dto.js';
import { startFakeKms, type FakeKms } from '../fakes/kms.js';
import { client, must, refusal, type Client } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { startInstallation, type Installation } from '../support/installation.js';
import { createTenant, signIn, type TestTenant } from '../support/tenants.js';

/** Waits the minute for real; otherwise the clocks of the processes are moved. */
const REAL_TIME = process.env['WAXELL_REAL_MINUTE'] === 'true';
const MINUTE = 60_000;
const WAIT_MS = 40_000;
const REFUSED = { status: 503, code: 'KEYS_REFUSED' };

let fake: FakeKms;
let installation: Installation;
let acme: TestTenant;
let neighbour: TestTenant;

beforeAll(async () => {
  fake = await startFakeKms({ everyRegion: true });
  const { accessKeyId, secretAccessKey } = fake.credentials;
  installation = await startInstallation(2, {
    AWS_REGION: fake.region,
    AWS_KMS_ENDPOINT: fake.endpoint,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
  });
  const [baseUrl = ''] = installation.baseUrls;
  const place = { baseUrl, firstRun: { operatorKey: installation.operatorKey } };
  [acme, neighbour] = [await createTenant(place), await createTenant(place)];
});
afterAll(async () => {
  await installation.dispose();
  await fake.close();
});

const everywhere = ({ apiKey }: TestTenant): Client[] =>
  installation.baseUrls.map((baseUrl) => client(baseUrl, apiKey));

/** Reads and writes what is encrypted, in every process. */
async function works(tenant: TestTenant): Promise<void> {
  for (const api of everywhere(tenant)) {
    await must(api.get('/v1/users'), 200);
    await must(api.patch('/v1/me', { displayName: 'somebody' }), 200);
  }
}

it(
  'a key that its customer revokes ends its use in every process that has it in memory, within a minute',
  { timeout: REAL_TIME ? 180_000 : 90_000 },
  async () => {
    const arn = fake.newKey();
    const [baseUrl = ''] = installation.baseUrls;
    const owner = client(baseUrl, (await signIn({ baseUrl }, acme.slug, acme.owner)).accessToken);
    await must(owner.post('/v1/auth/step-up', { password: acme.owner.password }), 200);
    await must(owner.put('/v1/keys/customer-key', { arn }), 202);
    await eventually(async () => {
      const keys = await must(acme.api.get<KeysDto>('/v1/keys'), 200);
      expect(keys).toMatchObject({ custody: 'customer', rotation: { status: 'done' } });
    }, WAIT_MS);
    for (const tenant of [acme, neighbour]) await works(tenant);

    fake.deny(arn, true);
    // It is in memory: what a test of the end of its use has to begin with.
    await works(acme);
    if (!REAL_TIME) await installation.setAhead(MINUTE - 5_000);
    await eventually(
      async () => {
        for (const api of everywhere(acme)) expect(await refusal(api.get('/v1/users'))).toEqual(REFUSED);
      },
      REAL_TIME ? MINUTE : 5_000,
    );
    for (const api of everywhere(acme))
      expect(await refusal(api.patch('/v1/me', { displayName: 'nobody' }))).toEqual(REFUSED);
    await works(neighbour);

    fake.deny(arn, false);
    // A refusal is believed for five seconds.
    if (REAL_TIME) await sleep(5_000);
    else await installation.setAhead(MINUTE + 5_000);
    await eventually(() => works(acme), 5_000);
  },
);
