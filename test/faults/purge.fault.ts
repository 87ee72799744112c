import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OperationsDto } from '../../src/organisations/lifecycle.dto.js';
import type { OrganisationDto } from '../../src/organisations/organisations.dto.js';
import { FileObjectStore } from '@waxell/infra';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { publishedAgent, runIn, startRun } from '../support/agents.js';
import { startApplication, type Application } from '../support/application.js';
import { client, must, type Client } from '../support/client.js';
import { asSuperuser } from '../support/embedded-database.js';
import { eventually } from '../support/eventually.js';
import { discrepancies, readBooks, verified, type Books } from '../support/log-book.js';
import { Stops } from '../support/stops.js';
import { createPerson, createTenant, type TestTenant } from '../support/tenants.js';
import { tracesOf } from '../support/traces.js';

let app: Application;
let operator: Client;
let acme: TestTenant;
let neighbour: TestTenant;
const LOCKED_UNTIL = new Date(Math.ceil(Date.now() / 1_000) * 1_000 + 86_400_000);
const LOCKED = ({ id }: TestTenant): string =>
  `tenants/${id}/audit/cold/000000000000001-000000000000002.jsonl.gz`;
const STEPS = ['refuse', 'export', 'keys', 'schema', 'runs', 'log', 'objects', 'events', 'registry'];

beforeAll(async () => {
  app = await startApplication();
  operator = client(app.baseUrl, app.firstRun.operatorKey);
  acme = await createTenant(app, { region: 'eu-west-1' });
  neighbour = await createTenant(app, { region: 'eu-west-1' });
});
afterAll(() => app.dispose());

/** A tenant that has something everywhere: rows, runs that are over, at work and queued, and an entry of every table. */
async function inhabited(tenant: TestTenant): Promise<void> {
  await createPerson(tenant.api, 'Developer');
  const quick = await publishedAgent(tenant.api, { apiKeys: { openai: 'sk-test' } });
  await runIn(tenant.api, (await startRun(tenant.api, quick.id)).id);
  const slow = await publishedAgent(tenant.api, { model: { name: 'demo-slow' } });
  for (let run = 0; run < 8; run += 1) await startRun(tenant.api, slow.id);
}

it('a purge that is killed after every one of its steps, before it is noted, leaves nothing, and the neighbour whole', async () => {
  await inhabited(acme);
  await inhabited(neighbour);
  const path = `/v1/tenants/${acme.id}`;
  await must(operator.send<OrganisationDto>('DELETE', path, { body: { graceDays: 14 } }), 202);
  // Objects too: its export.
  await eventually(() => must(operator.get(`${path}/export`), 200), 60_000);
  const before = Object.keys(await tracesOf(app.home, acme.id));
  expect(before).toEqual(
    expect.arrayContaining([
      'us-east-1 control.tenants',
      'us-east-1 control.slugs',
      'eu-west-1 audit.heads',
      'eu-west-1 audit.events',
      'eu-west-1 work.runs',
      'eu-west-1 queue.job_common',
      'eu-west-1 schema',
    ]),
  );
  expect(before.filter((where) => where.includes('/export/')).length).toBeGreaterThan(10);
  await lockAnObject(before);
  const stops = new Stops(app, acme.id, 'tenant.purge');
  await stops.set(STEPS);
  await graceIsOver();
  await stops.killAtEach(STEPS);
  await eventually(async () => {
    const { items } = await must(operator.get<OperationsDto>(`/v1/tenants/${acme.id}/operations`), 200);
    expect(items.map(({ kind, status, error }) => ({ kind, status, error }))).toContainEqual({
      kind: 'tenant.purge',
      status: 'done',
      error: undefined,
    });
  }, 30_000);
  await nothingLeft();
  // Events that were committed with a change follow into the log by themselves.
  await eventually(proofs, 5_000);
  await whole(neighbour);
  // Nine times the start of an application with its PostgreSQL.
}, 300_000);

/** As cold storage has them: nobody deletes it before its time, not even whoever purges. */
async function lockAnObject(traces: readonly string[]): Promise<void> {
  const beside = traces.find((where) => where.includes('/export/')) ?? '';
  const store = new FileObjectStore({ dir: join(app.home, beside.slice(0, beside.indexOf('/tenants/'))) });
  await store.put(LOCKED(acme), Buffer.from('sealed'), { retainUntil: LOCKED_UNTIL });
}

/** As if the 14 days had gone by. */
async function graceIsOver(): Promise<void> {
  await asSuperuser(app.home, 'us-east-1', async (database) => {
    await database.query('UPDATE control.tenants SET delete_after = now() WHERE id = $1', [acme.id]);
    await database.query(
      `UPDATE control.operations SET due_at = now() WHERE tenant = $1 AND kind = 'tenant.purge'`,
      [acme.id],
    );
  });
}

/** The id is left where it says that there was one: a tombstone, the end of its log, how the purge went, its dead key. */
async function nothingLeft(): Promise<void> {
  const left = Object.entries(await tracesOf(app.home, acme.id));
  const keys = left.filter(([where]) => /(^|\/)kms\/local-[0-9a-f-]+\.json$/.test(where));
  // The object that is locked, with its folders and the file that says how.
  const key = LOCKED(acme);
  const locked = left.filter(
    ([where]) => where.includes(key) || key.startsWith(where.split('/objects/')[1] ?? '-'),
  );
  expect(locked.some(([where]) => where.includes(key))).toBe(true);
  const others = left.filter((entry) => !keys.includes(entry) && !locked.includes(entry));
  expect(Object.fromEntries(others)).toEqual({
    // Its export, and its purge.
    'us-east-1 control.operations': 2,
    'us-east-1 control.tombstones': 1,
    'eu-west-1 audit.closed': 1,
    // Whoever looks next after its time deletes it.
    'eu-west-1 work.retained_objects': 1,
  });
  expect(keys).toHaveLength(1);
  for (const [file] of keys) {
    const key = JSON.parse(await readFile(join(app.home, file), 'utf8')) as {
      state: string;
      deletionDate: string;
    };
    expect(key.state).toBe('pending_deletion');
    const days = (Date.parse(key.deletionDate) - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(6.9);
    expect(days).toBeLessThanOrEqual(7);
  }
}

interface InstallationEvent {
  readonly action: string;
  readonly resource?: { readonly id: string };
  readonly changes?: {
    readonly step?: string;
    readonly retained?: { readonly objects: number; readonly until: string };
    readonly log?: { readonly events: number; readonly chainHash: string; readonly rootHash: string };
  };
}

/** The installation's log tells of every step, of the end once, and where the purged log ended. */
async function proofs(): Promise<void> {
  const events = await asSuperuser(app.home, 'us-east-1', async (database) => {
    const { rows } = await database.query<{ event: Buffer }>(
      `SELECT event FROM audit.events WHERE tenant = 't_0000000000000000' ORDER BY seq`,
    );
    return rows
      .map(({ event }) => JSON.parse(event.toString()) as InstallationEvent)
      .filter(({ resource }) => resource?.id === acme.id);
  });
  const advanced = new Set(
    events.filter(({ action }) => action === 'tenant.purge_advanced').map(({ changes }) => changes?.step),
  );
  expect([...advanced]).toEqual(STEPS.slice(1, -1));
  expect(events.filter(({ action }) => action === 'tenant.purge_begun')).toHaveLength(1);
  const purged = events.filter(({ action }) => action === 'tenant.purged');
  expect(purged).toHaveLength(1);
  const { rows } = await asSuperuser(app.home, 'eu-west-1', (database) =>
    database.query<{ seq: string; chain: string }>(
      `SELECT seq, encode(chain_hash, 'hex') AS chain FROM audit.closed WHERE tenant = $1`,
      [acme.id],
    ),
  );
  expect(purged[0]?.changes?.log).toEqual({
    events: Number(rows[0]?.seq),
    chainHash: rows[0]?.chain,
    rootHash: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
  });
  expect(Number(rows[0]?.seq)).toBeGreaterThan(10);
  expect(purged[0]?.changes?.retained).toEqual({ objects: 1, until: LOCKED_UNTIL.toISOString() });
}

async function whole({ api }: TestTenant): Promise<void> {
  await verified(api);
  let books: Books = await readBooks(api);
  for (const { id } of books.runs) expect((await runIn(api, id, undefined, 60_000)).status).toBe('COMPLETED');
  await sleep(200);
  books = await readBooks(api);
  expect(books.runs).toHaveLength(9);
  expect(discrepancies(books).filter((line) => !line.startsWith('run.started'))).toEqual([]);
  await verified(api);
}
