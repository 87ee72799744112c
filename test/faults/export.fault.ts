import { hash } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { AuditPageDto } from '../../src/audit/audit.dto.js';
import type { AuditExportDto } from '../../src/exports/exports.dto.js';
import { publishedAgent, runIn, startRun } from '../support/agents.js';
import { startApplication, type Application } from '../support/application.js';
import { client, must } from '../support/client.js';
import { eventually } from '../support/eventually.js';
import { parseExport } from '../support/exports.js';
import { Stops } from '../support/stops.js';
import { createTenant, type TestTenant } from '../support/tenants.js';

let app: Application;
let acme: TestTenant;

beforeAll(async () => {
  app = await startApplication();
  acme = await createTenant(app, { region: 'eu-west-1' });
  await createTenant(app, { region: 'eu-west-1' });
});
afterAll(() => app.dispose());

it('an export of a search that is killed after its part was written, before that is noted, goes on, and has every event once', async () => {
  const stops = new Stops(app, acme.id, 'audit.saved_export');
  const at = ['write:1'];
  await stops.set(at);
  const { id, to } = await must(acme.api.post<AuditExportDto>('/v1/audit/exports', { format: 'jsonl' }), 202);
  await stops.killAtEach(at);
  const path = `/v1/audit/exports/${id}`;
  const { sha256 } = await eventually(async () => {
    const found = await must(acme.api.get<AuditExportDto>(path), 200);
    if (found.status !== 'READY') throw new Error(`It is ${found.status}.`);
    return found;
  }, 30_000);
  const text = await must(acme.api.get<string>(`${path}/content`), 200);
  expect(hash('sha256', text)).toBe(sha256);
  const events = text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as { seq: number });
  expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: to }, (_, index) => to - index));
  const told = await must(
    acme.api.get<AuditPageDto>(`/v1/audit/events?resourceId=${id}&action=audit_export.completed`),
    200,
  );
  expect(told.items[0]).toMatchObject({ outcome: 'success', changes: { events: to, sha256 } });
}, 200_000);

it('an export that is killed after parts were written, before they are noted, goes on, and has everything once', async () => {
  const agent = await publishedAgent(acme.api);
  const runs = await Promise.all(Array.from({ length: 5 }, () => startRun(acme.api, agent.id)));
  for (const { id } of runs) await runIn(acme.api, id);
  const stops = new Stops(app, acme.id, 'tenant.export');
  const at = ['write:1', 'write:4', 'write:7'];
  await stops.set(at);
  const operator = client(app.baseUrl, app.firstRun.operatorKey);
  await must(operator.send('DELETE', `/v1/tenants/${acme.id}`, { body: {} }), 202);
  await stops.killAtEach(at);
  const text = await eventually(
    () => must(operator.get<string>(`/v1/tenants/${acme.id}/export`), 200),
    30_000,
  );
  const { rows, events, manifest } = parseExport(text);
  expect(rows['runs']?.map(({ id }) => id)).toEqual(runs.map(({ id }) => id).sort());
  expect(rows['users']).toHaveLength(1);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_event, index) => index + 1));
  expect(manifest.counts).toMatchObject({ runs: 5, users: 1, audit: events.length });
}, 200_000);
