import { createHash } from 'node:crypto';
import type { OrganisationDto } from '../../src/organisations/organisations.dto.js';
import { beforeAll, beforeEach, expect, it } from 'vitest';
import { publishedAgent, runIn, startRun } from '../support/agents.js';
import { createClient } from '../support/oauth.js';
import { sharedApplication } from '../support/shared-application.js';
import { client, must, refusal, type Client } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { parseExport } from '../support/exports.js';
import { filesWith } from '../support/traces.js';
import { createApiKey, createPerson, createTenant, signIn, type TestTenant } from '../support/tenants.js';

const app = sharedApplication();
const operator = client(app.baseUrl, app.firstRun.operatorKey);
let acme: TestTenant;
let neighbour: TestTenant;

beforeAll(async () => {
  neighbour = await createTenant(app);
});
beforeEach(async () => {
  acme = await createTenant(app);
});

const remove = (id: string, body: object = {}) =>
  must(operator.send<OrganisationDto>('DELETE', `/v1/tenants/${id}`, { body }), 202);
const restore = (id: string) => must(operator.post(`/v1/tenants/${id}/restore`), 200);
const NO_EXPORT = { status: 404, code: 'NO_EXPORT' };

/** The export as text, once it is written. */
async function exported(api: Client, path: string): Promise<string> {
  return eventually(() => must(api.get<string>(path), 200), 30_000);
}

it('has every row, opened, and every event, and no secret; the operator gets it, and the log tells of that', async () => {
  await createPerson(acme.api, 'Developer');
  const agent = await publishedAgent(acme.api, { apiKeys: { openai: 'sk-canary-of-a-provider' } });
  const theirs = await publishedAgent(neighbour.api);
  const big = 'x'.repeat(900_000);
  const trusting = await createClient(acme.api, {
    authentication: 'federated_token',
    federation: { issuer: 'https://issuer.example', subject: 'sync', audience: 'us' },
  });
  const runs = [];
  for (let at = 0; at < 7; at += 1)
    runs.push(await startRun(acme.api, agent.id, `${at} input-canary ${big}`));
  for (const { id } of runs) await runIn(acme.api, id);
  const agents = await acme.api.all<{ id: string; name: string }>('/v1/agents');
  const users = await acme.api.all<{ id: string; email: string }>('/v1/users');
  const head = (
    await must(acme.api.get<{ head: { seq: number; chainHash: string } }>('/v1/audit/verify'), 200)
  ).head;
  await remove(acme.id);
  expect(await refusal(operator.get(`/v1/tenants/${acme.id}/export`))).toEqual({
    status: 409,
    code: 'EXPORT_NOT_READY',
  });
  const { manifest, rows, events, text } = parseExport(
    await exported(operator, `/v1/tenants/${acme.id}/export`),
  );

  expect(manifest.tenant).toBe(acme.id);
  expect(manifest.parts.filter(({ of }) => of === 'runs').length).toBeGreaterThan(1);
  expect(rows['users']?.map(({ id, email }) => ({ id, email }))).toEqual(
    users.map(({ id, email }) => ({ id, email })),
  );
  expect(rows['oauth_clients']).toMatchObject([{ id: trusting.id, federation: trusting.federation }]);
  expect(rows['agents']?.map(({ id }) => id)).toEqual(agents.map(({ id }) => id));
  expect(rows['runs']?.map(({ id, input_data: input }) => [id, String(input).slice(0, 14)])).toEqual(
    runs.map(({ id }, at) => [id, `${at} input-canary`]),
  );
  expect(rows['run_events']?.some(({ event }) => (event as { type?: string }).type === 'run.completed')).toBe(
    true,
  );
  // The log is whole, and follows from itself.
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_event, at) => at + 1));
  let chain = Buffer.alloc(32);
  for (const { seq, event, chainHash } of events) {
    const leaf = createHash('sha256')
      .update(Buffer.concat([Buffer.from([0]), Buffer.from(event)]))
      .digest();
    const number = Buffer.alloc(8);
    number.writeBigUInt64BE(BigInt(seq));
    chain = createHash('sha256')
      .update(Buffer.concat([chain, number, leaf]))
      .digest();
    expect(chain.toString('hex')).toBe(chainHash);
    if (seq === head.seq) expect(chainHash).toBe(head.chainHash);
  }
  expect(events.length).toBeGreaterThan(head.seq);
  for (const secret of [
    'sk-canary-of-a-provider',
    '$argon2',
    acme.apiKey,
    'wrapped',
    neighbour.id,
    theirs.id,
  ])
    expect(text.includes(secret), secret).toBe(false);

  await restore(acme.id);
  await eventually(async () => {
    const log = await acme.api.all<{ action: string; actor: { type: string } }>('/v1/audit/events', 200);
    const told = log.filter(({ actor }) => actor.type === 'operator').map(({ action }) => action);
    expect(told.filter((action) => action === 'tenant.exported')).toHaveLength(1);
  }, 5_000);
});

it('is sealed where it is stored, and taken away when the organisation is restored', async () => {
  const { id } = await publishedAgent(acme.api, { instructions: 'instructions-canary' });
  await remove(acme.id);
  await exported(operator, `/v1/tenants/${acme.id}/export`);
  const exports = (text: string) => filesWith(app.home, text, (path) => path.includes('/export/'));
  const stored = () => exports(acme.id);
  expect((await stored()).length).toBeGreaterThan(5);
  for (const canary of ['instructions-canary', id, acme.owner.email])
    expect(await exports(canary)).toEqual([]);
  await restore(acme.id);
  await eventually(async () => expect(await stored()).toEqual([]), 20_000);
  expect(await refusal(operator.get(`/v1/tenants/${acme.id}/export`))).toEqual(NO_EXPORT);
  expect(await refusal(acme.api.get('/v1/organisation/export'))).toEqual(NO_EXPORT);
});

it('is for the owner too, who can do nothing else any more; for nobody else of the organisation, and none next door', async () => {
  const admin = await createPerson(acme.api, 'Admin');
  const { accessToken } = await signIn(app, acme.slug, admin);
  const narrow = await createApiKey(acme.api, ['agent:read']);
  await remove(acme.id);
  const { manifest } = parseExport(await exported(acme.api, '/v1/organisation/export'));
  expect(manifest.tenant).toBe(acme.id);
  const denied = { status: 403, code: 'PERMISSION_DENIED' };
  for (const credential of [accessToken, narrow.key])
    expect(await refusal(client(app.baseUrl, credential).get('/v1/organisation/export'))).toEqual(denied);
  expect(await refusal(operator.get('/v1/organisation/export'))).toEqual(denied);
  expect(await refusal(acme.api.get(`/v1/tenants/${acme.id}/export`))).toEqual({
    status: 403,
    code: 'TENANT_DELETING',
  });
  for (const path of ['/v1/me', '/v1/agents', '/v1/audit/events'])
    expect(await refusal(acme.api.get(path))).toEqual({ status: 403, code: 'TENANT_DELETING' });
  expect(await refusal(neighbour.api.get('/v1/organisation/export'))).toEqual(NO_EXPORT);
});

it('is not written where there is no grace in which it could be fetched', async () => {
  await remove(acme.id, { graceDays: 0, confirm: acme.slug });
  expect((await refusal(operator.get(`/v1/tenants/${acme.id}/export`))).status).toBe(404);
});
