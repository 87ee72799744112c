import parsePrometheusTextFormat from 'parse-prometheus-text-format';
import { expect, it } from 'vitest';
import { REGIONS } from '../support/embedded-database.js';
import { ownerOf } from '../support/scim.js';
import { refusal } from '../support/client.js';
import { sharedApplication } from '../support/shared-application.js';
import { createTenant } from '../support/tenants.js';

const app = sharedApplication();
const GAUGES = [
  'waxell_audit_outbox_events',
  'waxell_audit_queue_events',
  'waxell_certificate_expiry_seconds',
  'waxell_checkpoint_age_seconds',
  'waxell_event_loop_delay_seconds',
  'waxell_gauges_failed',
  'waxell_operations_untaken',
  'waxell_siem_lag_seconds',
];

async function metrics() {
  const headers = { authorization: `Bearer ${app.firstRun.operatorKey}` };
  const answer = await fetch(`${app.baseUrl}/metrics`, { headers });
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  return parsePrometheusTextFormat(await answer.text());
}

it('the operator reads what is measured, each figure of a cell, however many organisations there are', async () => {
  const before = await metrics();
  expect(before.map(({ name }) => name).toSorted()).toEqual(GAUGES);
  const failed = before.find(({ name }) => name === 'waxell_gauges_failed');
  expect(failed?.metrics).toEqual([{ value: '0' }]);
  const outbox = before.find(({ name }) => name === 'waxell_audit_outbox_events');
  expect(outbox?.metrics).toHaveLength(REGIONS.length);
  const made = await Promise.all(Array.from({ length: 5 }, () => createTenant(app)));
  const after = await metrics();
  const counts = (all: typeof before): object =>
    Object.fromEntries(all.map(({ name, metrics: m }) => [name, m.length]));
  expect(counts(after)).toEqual(counts(before));
  const text = JSON.stringify(after);
  for (const { id, slug } of made) expect(text).not.toMatch(new RegExp(`${id}|${slug}`));
});

it('nobody else reads it: no Owner, no key, and nobody without a credential', async () => {
  const acme = await createTenant(app);
  const owner = await ownerOf(app, acme);
  for (const api of [owner, acme.api])
    expect(await refusal(api.get('/metrics'))).toMatchObject({ status: 403, code: 'PERMISSION_DENIED' });
  expect((await fetch(`${app.baseUrl}/metrics`)).status).toBe(401);
});
