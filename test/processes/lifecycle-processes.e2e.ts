import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { publishedAgent, runIn, startRun } from '../support/agents.js';
import { client, must, type Client } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { startInstallation, type Installation } from '../support/installation.js';
import { createTenant, signIn, type TestTenant } from '../support/tenants.js';

const SECOND = 1_000;
let installation: Installation;
let first: string;
let second: string;
let operator: Client;
let acme: TestTenant;
let neighbour: TestTenant;

beforeAll(async () => {
  installation = await startInstallation(2);
  [first = '', second = ''] = installation.baseUrls;
  operator = client(first, installation.operatorKey);
  const place = { baseUrl: first, firstRun: { operatorKey: installation.operatorKey } };
  acme = await createTenant(place);
  neighbour = await createTenant(place);
});
afterAll(() => installation.dispose());

interface Probe {
  readonly at: number;
  readonly answeredAt: number;
  readonly said: string;
}

/** Asks without a pause; each answer with when it was asked for. */
function probing(ask: () => Promise<{ status: number; body: unknown }>, stop: AbortSignal) {
  const probes: Probe[] = [];
  const done = (async () => {
    while (!stop.aborted) {
      const at = Date.now();
      const { status, body } = await ask();
      const code = (body as { code?: string } | undefined)?.code ?? '';
      probes.push({ at, answeredAt: Date.now(), said: `${status} ${code}`.trim() });
      await sleep(5);
    }
  })();
  return { probes, done };
}

it('what one process is told, every process does within a second: requests, sign-in, streams and runs, and back', async () => {
  const slow = await publishedAgent(acme.api, { model: { name: 'demo-slow' } });
  // More than one process does at once: both have some.
  const runs = await Promise.all(Array.from({ length: 6 }, () => startRun(acme.api, slow.id)));
  const { id } = runs[0] ?? { id: '' };
  await runIn(acme.api, id, new Set(['RUNNING']));
  const there = client(second, acme.apiKey);
  const { accessToken } = await signIn({ baseUrl: second }, acme.slug, acme.owner);
  const token = client(second, accessToken);
  const anyone = client(second, undefined, { 'x-tenant-slug': acme.slug });
  const { email, password } = acme.owner;
  let streamEnded = Infinity;
  const stream = (async () => {
    for await (const _event of there.events(`/v1/runs/${id}/events`));
    streamEnded = Date.now();
  })();
  const stop = new AbortController();
  const ways = {
    'key here': probing(() => acme.api.get('/v1/me'), stop.signal),
    'key there': probing(() => there.get('/v1/me'), stop.signal),
    'token there': probing(() => token.get('/v1/me'), stop.signal),
    'password there': probing(() => anyone.post('/v1/auth/login', { email, password }), stop.signal),
  };
  const theirs = probing(() => client(second, neighbour.apiKey).get('/v1/me'), stop.signal);
  await sleep(300);
  await must(operator.post(`/v1/tenants/${acme.id}/suspend`, { reason: 'A test.' }), 200);
  const suspendedAt = Date.now();
  await sleep(1.5 * SECOND);
  stop.abort();
  await Promise.all([...Object.values(ways).map(({ done }) => done), theirs.done, stream]);
  const lastServed: Record<string, number> = {};
  for (const [way, { probes }] of Object.entries(ways)) {
    const after = probes.filter(({ at }) => at > suspendedAt + SECOND);
    expect({ way, said: [...new Set(after.map(({ said }) => said))] }).toEqual({
      way,
      said: ['403 TENANT_SUSPENDED'],
    });
    const served = probes.filter(({ at, said }) => at > suspendedAt && said === '200');
    lastServed[way] = Math.max(0, ...served.map(({ at }) => at - suspendedAt));
  }
  process.stdout.write(
    `last served after the suspension was answered, in ms: ${JSON.stringify(lastServed)}\n`,
  );
  expect(streamEnded - suspendedAt).toBeLessThan(SECOND);
  expect(new Set(theirs.probes.map(({ said }) => said))).toEqual(new Set(['200']));

  await must(operator.post(`/v1/tenants/${acme.id}/resume`), 200);
  await eventually(async () => expect((await there.get('/v1/me')).status).toBe(200), SECOND);
  for (const run of runs)
    expect((await runIn(there, run.id, undefined, 60 * SECOND)).status).toBe('COMPLETED');
});

it('deleting is heard of everywhere as well, and a purged organisation is unknown to every process', async () => {
  const there = client(second, acme.apiKey);
  expect((await there.get('/v1/me')).status).toBe(200);
  const body = { graceDays: 0, confirm: acme.slug };
  await must(operator.send('DELETE', `/v1/tenants/${acme.id}`, { body }), 202);
  await eventually(async () => expect((await there.get('/v1/me')).status).not.toBe(200), SECOND);
  await eventually(
    async () => expect((await operator.get(`/v1/tenants/${acme.id}`)).status).toBe(404),
    30 * SECOND,
  );
  await eventually(async () => expect((await there.get('/v1/me')).status).toBe(401), SECOND);
  expect((await client(second, neighbour.apiKey).get('/v1/me')).status).toBe(200);
});
