import { afterAll, beforeAll, expect, it } from 'vitest';
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
