import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TenantRef } from '../../src/platform/database/index.js';
import { newWebhookSecret } from '../../src/platform/egress/index.js';
import { DATADOG_KEY, startFakeDatadog, type FakeDatadog } from '../fakes/datadog.js';
import { SPLUNK_TOKEN, startFakeSplunk, type FakeSplunk } from '../fakes/splunk-hec.js';
import { openExporting, type Exporting } from '../support/exporting.js';

let test: Exporting;
let acme: TenantRef;
let globex: TenantRef;
let splunk: FakeSplunk;
let datadog: FakeDatadog;

beforeAll(async () => {
  test = await openExporting();
});
afterAll(() => test.close());
beforeEach(async () => {
  [acme, globex] = [await test.newTenant(), await test.newTenant()];
  [splunk, datadog] = [await startFakeSplunk(), await startFakeDatadog()];
});
afterEach(async () => {
  await Promise.all([splunk.close(), datadog.close()]);
  await test.db.superuser.query('DELETE FROM audit.deliveries');
});

const toSplunk = (tenant: TenantRef, server = splunk): Promise<string> =>
  test.destination(tenant, 'splunk_hec', server.url, SPLUNK_TOKEN);
const toDatadog = (tenant: TenantRef): Promise<string> =>
  test.destination(tenant, 'datadog', datadog.url, DATADOG_KEY);
const range = (count: number): number[] => Array.from({ length: count }, (_, at) => at + 1);
/** Each event once, in the order of their first arrival, as whoever drops repeated ids sees them. */
const distinct = (seqs: readonly number[]): number[] => [...new Set(seqs)];
const arrived = (server: FakeSplunk, tenant: TenantRef): number[] =>
  server.indexed
    .filter(({ event }) => (event['metadata'] as { tenant_uid: string }).tenant_uid === tenant.id)
    .map(({ seq }) => seq);
const state = async (tenant: TenantRef, id: string) => (await test.deliveries.states(tenant)).get(id);

describe('an export', () => {
  it('has every event once and in order at each receiver, and each tenant at its own', async () => {
    const other = await startFakeSplunk();
    const ids = [await toSplunk(acme), await toDatadog(acme), await toSplunk(globex, other)] as const;
    await Promise.all([test.append(acme, 2_500), test.append(globex, 30)]);
    await test.exporter().settle();
    expect(arrived(splunk, acme)).toEqual(range(2_500));
    expect(datadog.logs.map(({ metadata }) => (metadata as { sequence: number }).sequence)).toEqual(
      range(2_500),
    );
    expect(arrived(other, globex)).toEqual(range(30));
    expect(splunk.indexed).toHaveLength(2_500);
    expect(other.indexed).toHaveLength(30);
    expect(await state(acme, ids[0])).toMatchObject({ seq: 2_500, head: 2_500, lagSeconds: 0 });
    await other.close();
  });

  it('says how far behind it is, in events and seconds', async () => {
    const id = await toSplunk(acme);
    splunk.always = { status: 503 };
    await test.append(acme, 12);
    await test.db.superuser.query(
      `UPDATE audit.events SET at = at - interval '90 seconds' WHERE tenant = $1`,
      [acme.id],
    );
    await test.exporter().settle();
    expect(await state(acme, id)).toMatchObject({ seq: 0, head: 12, failures: 1, error: 'HTTP_503' });
    expect((await state(acme, id))?.lagSeconds).toBeGreaterThanOrEqual(90);
  });

  it('has with the events the newest checkpoint of them, once, and none of events that it does not have', async () => {
    await Promise.all([toSplunk(acme), toSplunk(globex)]);
    await Promise.all([test.append(acme, 6), test.append(globex, 6)]);
    for (const size of [2, 5, 9])
      await test.db.superuser.query(
        `INSERT INTO audit.checkpoints (log, size, root, note) VALUES ($1, $2, '', $3)`,
        [acme.id, size, `note of ${size}`],
      );
    await test.exporter().settle();
    await test.append(acme, 1);
    await test.exporter().settle();
    const sent = splunk.indexed.filter(
      ({ event }) => (event['metadata'] as { log_name: string }).log_name !== 'audit',
    );
    expect(sent.map(({ event }) => event['unmapped'])).toEqual([{ size: 5, checkpoint: 'note of 5' }]);
    expect(sent[0]?.event['metadata']).toMatchObject({ tenant_uid: acme.id, event_code: 'audit.checkpoint' });
    await test.append(acme, 2);
    await test.exporter().settle();
    expect(splunk.indexed.filter(({ event }) => JSON.stringify(event).includes('note of 9'))).toHaveLength(1);
    expect(splunk.indexed.filter(({ event }) => JSON.stringify(event).includes('checkpoints'))).toHaveLength(
      2,
    );
  });

  it('that is a quarter of an hour behind is told of in its own log, once in that time, paused ones not', async () => {
    await Promise.all([toSplunk(acme), toSplunk(globex)]);
    const paused = await toSplunk(acme);
    splunk.always = { status: 503 };
    await Promise.all([test.append(acme, 3), test.append(globex, 3)]);
    await test.exporter().settle();
    await test.db.superuser.query(`UPDATE audit.deliveries SET due_at = 'infinity' WHERE destination = $1`, [
      paused,
    ]);
    await test.db.superuser.query(
      `UPDATE audit.events SET at = at - interval '901 seconds' WHERE tenant = $1`,
      [acme.id],
    );
    await Promise.all([test.watchLag(), test.watchLag()]);
    await test.watchLag();
    const { rows } = await test.db.superuser.query<{ tenant: string }>(
      `SELECT tenant FROM audit.events WHERE action = 'audit.delivery_lagging' AND tenant = ANY ($1)`,
      [[acme.id, globex.id]],
    );
    expect(rows).toEqual([{ tenant: acme.id }]);
  });

  it('is as far behind as the next event is old, in cold storage too', async () => {
    const id = await toSplunk(acme);
    await test.append(acme, 4);
    await test.db.superuser.query(
      `INSERT INTO audit.cold (tenant, first, last, bytes, sha256, chain_hash, frontier, leaves, appended_before, locked_until, published)
       VALUES ($1, 1, 2, 1, '', '', '', '', now() - interval '91 days', now(), true)`,
      [acme.id],
    );
    await test.db.superuser.query('DELETE FROM audit.events WHERE tenant = $1 AND seq <= 2', [acme.id]);
    expect((await state(acme, id))?.lagSeconds).toBeGreaterThanOrEqual(91 * 86_400);
  });

  it('is sent by one of many processes at a time, and to every tenant whose log has grown', async () => {
    const tenants = [acme, globex, ...(await Promise.all(range(6).map(() => test.newTenant())))];
    for (const tenant of tenants) await toSplunk(tenant);
    await Promise.all(tenants.map((tenant) => test.append(tenant, 200)));
    await Promise.all(range(4).map(() => test.exporter().settle()));
    await test.exporter().settle();
    for (const tenant of tenants) expect(arrived(splunk, tenant)).toEqual(range(200));
  });

  it('does not wait for a tenant with a long backlog', async () => {
    await toSplunk(acme);
    await toDatadog(acme);
    await test.append(acme, 6_000);
    await toSplunk(globex);
    await test.append(globex, 5);
    const first = test.exporter();
    const order: number[] = [];
    const settled = first.settle();
    while (arrived(splunk, globex).length < 5) await new Promise((done) => setTimeout(done, 5));
    order.push(arrived(splunk, acme).length);
    await settled;
    expect(order[0]).toBeLessThan(6_000);
    expect(arrived(splunk, acme)).toEqual(range(6_000));
  });
});

describe('a receiver that is down for thirty minutes', () => {
  it('has everything afterwards, in order, and was not asked all the time', async () => {
    const id = await toSplunk(acme);
    const neighbour = await startFakeSplunk();
    await toSplunk(globex, neighbour);
    splunk.always = { status: 503 };
    let minutes = 0;
    for (let at = 0; minutes < 30; at += 1) {
      await test.append(acme, 40);
      await test.append(globex, 1);
      await test.exporter().settle();
      await test.passSeconds(30);
      minutes += 0.5;
    }
    // The neighbour's receiver was up all the time, and had its events all the time.
    expect(arrived(neighbour, globex)).toEqual(range(60));
    expect(splunk.indexed).toEqual([]);
    expect(splunk.requests).toBeLessThan(25);
    expect((await state(acme, id))?.failures).toBe(splunk.requests);
    splunk.always = undefined;
    await test.passSeconds(300);
    await test.exporter().settle();
    const { head = 0 } = (await state(acme, id)) ?? {};
    // 2,400 and the word that it was failing.
    expect(head).toBe(2_401);
    expect(arrived(splunk, acme)).toEqual(range(head));
    const told = splunk.indexed.filter(
      ({ event }) => (event['metadata'] as { event_code: string }).event_code === 'audit.delivery_failing',
    );
    expect(told).toHaveLength(1);
    await neighbour.close();
  }, 120_000);

  it('is waited for as long as it says', async () => {
    const id = await toSplunk(acme);
    await test.append(acme, 3);
    splunk.next.push({ status: 429, headers: { 'retry-after': '120' } });
    await test.exporter().settle();
    await test.passSeconds(100);
    await test.exporter().settle();
    expect(splunk.requests).toBe(1);
    await test.passSeconds(25);
    await test.exporter().settle();
    expect(arrived(splunk, acme)).toEqual(range(3));
    expect(await state(acme, id)).toMatchObject({ failures: 0, error: null });
  });

  it('or refuses the credential loses nothing: it is a matter of configuration', async () => {
    const id = await test.destination(acme, 'splunk_hec', splunk.url, 'wrong');
    await test.append(acme, 3);
    await test.exporter().settle();
    expect(await state(acme, id)).toMatchObject({ seq: 0, error: 'HTTP_403', refused: 0 });
  });
});

describe('an event that a receiver refuses for good', () => {
  const dead = async (tenant: TenantRef, id: string): Promise<number[]> =>
    (await test.deliveries.deadLetters(tenant, id, undefined, 100)).map(({ seq }) => Number(seq));

  it('is put aside and told of; all others arrive, at Splunk, which names it', async () => {
    const id = await toSplunk(acme);
    const untouched = await toDatadog(globex);
    splunk.refuses = ({ seq }) => seq === 7 || seq === 300;
    await Promise.all([test.append(acme, 500), test.append(globex, 10)]);
    await test.exporter().settle();
    // 501 is the word of what was refused.
    expect(distinct(arrived(splunk, acme)).sort((a, b) => a - b)).toEqual(
      range(501).filter((seq) => seq !== 7 && seq !== 300),
    );
    expect(await dead(acme, id)).toEqual([300, 7]);
    expect(await state(acme, id)).toMatchObject({ seq: 501, refused: 2 });
    expect(await dead(globex, untouched)).toEqual([]);
  });

  it('is sent again when it is asked for, of a range or all, under the id that it had, and only there', async () => {
    const id = await toSplunk(acme);
    const neighbours = await toSplunk(globex);
    splunk.refuses = ({ seq }) => [3, 5, 9].includes(seq);
    await Promise.all([test.append(acme, 10), test.append(globex, 10)]);
    await test.exporter().settle();
    expect(await dead(acme, id)).toEqual([9, 5, 3]);
    splunk.refuses = ({ seq }) => seq === 9;
    splunk.indexed.length = 0;
    expect(await test.redeliver(acme, id, { from: 4, to: 9 })).toEqual({
      delivered: 1,
      refused: 1,
      expired: 0,
    });
    expect(arrived(splunk, acme)).toEqual([5]);
    const { rows } = await test.db.superuser.query<{ id: string }>(
      'SELECT id FROM audit.events WHERE tenant = $1 AND seq = 5',
      [acme.id],
    );
    expect(splunk.indexed[0]?.event['metadata']).toMatchObject({ uid: rows[0]?.id });
    expect(await dead(acme, id)).toEqual([9, 3]);
    splunk.refuses = () => false;
    expect(await test.redeliver(acme, id, {})).toEqual({ delivered: 2, refused: 0, expired: 0 });
    expect(arrived(splunk, acme)).toEqual([5, 3, 9]);
    expect(await test.redeliver(acme, id, {})).toEqual({ delivered: 0, refused: 0, expired: 0 });
    expect(arrived(splunk, acme)).toEqual([5, 3, 9]);
    // Nothing of the neighbour's was sent, nor is his destination known here.
    expect(arrived(splunk, globex)).toEqual([]);
    expect(await dead(globex, neighbours)).toEqual([9, 5, 3]);
    await expect(test.redeliver(acme, neighbours, {})).rejects.toMatchObject({ kind: 'not_found' });
    expect(await dead(globex, neighbours)).toEqual([9, 5, 3]);
  });

  it('stays where the receiver is away, is paused, or is sent to at this moment; a hundred go at once', async () => {
    const id = await toSplunk(acme);
    await test.append(acme, 1);
    await test.exporter().settle();
    await test.append(acme, 105);
    await test.db.superuser.query(
      `INSERT INTO audit.dead_letters (tenant, destination, seq, reason) SELECT $1, $2, n, 'HTTP_400' FROM generate_series(1, 105) n`,
      [acme.id, id],
    );
    splunk.next.push({ status: 503 });
    expect(await test.redeliver(acme, id, {})).toEqual({
      delivered: 0,
      refused: 0,
      expired: 0,
      error: 'HTTP_503',
      nextFrom: 1,
    });
    const lease = await test.deliveries.take(acme, id);
    await expect(test.redeliver(acme, id, {})).rejects.toMatchObject({ code: 'DELIVERY_AT_WORK' });
    if (lease) await test.deliveries.putBack(test.db.cells.home, lease);
    await test.db.superuser.query(`UPDATE "${acme.id}".audit_destinations SET paused = true`);
    await expect(test.redeliver(acme, id, {})).rejects.toMatchObject({ code: 'DESTINATION_PAUSED' });
    await test.db.superuser.query(`UPDATE "${acme.id}".audit_destinations SET paused = false`);
    expect((await dead(acme, id)).length).toBe(100);
    const first = await test.redeliver(acme, id, {});
    expect(first).toEqual({ delivered: 100, refused: 0, expired: 0, nextFrom: 101 });
    expect(await test.redeliver(acme, id, { from: first.nextFrom })).toMatchObject({ delivered: 5 });
    expect(await dead(acme, id)).toEqual([]);
  });

  it('is found by halving at Datadog, which names none', async () => {
    const id = await toDatadog(acme);
    datadog.refuses = ({ metadata }) => [100, 101, 640].includes((metadata as { sequence: number }).sequence);
    await test.append(acme, 900);
    await test.exporter().settle();
    expect(await dead(acme, id)).toEqual([640, 101, 100]);
    const { head = 0 } = (await state(acme, id)) ?? {};
    const seqs = datadog.logs.map(({ metadata }) => (metadata as { sequence: number }).sequence);
    expect(head).toBeGreaterThan(900);
    expect(distinct(seqs)).toEqual(range(head).filter((seq) => ![100, 101, 640].includes(seq)));
  });

  it('is not told of for ever where the word of it is refused as well', async () => {
    const id = await toSplunk(acme);
    splunk.refuses = ({ event, seq }) =>
      seq === 2 || (event['metadata'] as { event_code: string }).event_code === 'audit.delivery_refused';
    await test.append(acme, 5);
    for (let round = 0; round < 4; round += 1) await test.exporter().settle();
    expect(await dead(acme, id)).toEqual([6, 2]);
    expect(await state(acme, id)).toMatchObject({ seq: 6, head: 6 });
  });

  it('does not mean that everything is: a receiver that takes nothing is waited for', async () => {
    const id = await toDatadog(acme);
    datadog.refuses = () => true;
    await test.append(acme, 60);
    await test.exporter().settle();
    expect(await state(acme, id)).toMatchObject({ seq: 0, refused: 0, error: 'REFUSES_EVERYTHING' });
    datadog.refuses = () => false;
    await test.passSeconds(10);
    await test.exporter().settle();
    expect(datadog.logs).toHaveLength(60);
  });
});

describe('the limits of a receiver', () => {
  it('are kept by batches of large events', async () => {
    await toDatadog(acme);
    await toSplunk(acme);
    await test.append(acme, 60, { padding: 'x'.repeat(100_000) });
    await test.exporter().settle();
    expect(datadog.logs).toHaveLength(60);
    expect(arrived(splunk, acme)).toEqual(range(60));
    expect(Math.max(...datadog.sizes.map(({ bytes }) => bytes))).toBeLessThanOrEqual(5_000_000);
  });

  it('that are lower than they should be are found by halving', async () => {
    const small = await startFakeSplunk({ maxBytes: 5_000 });
    await toSplunk(acme, small);
    await test.append(acme, 100);
    await test.exporter().settle();
    expect(arrived(small, acme)).toEqual(range(100));
    await small.close();
  });
});

it('a destination inside the operator’s network is not reached', async () => {
  const secret = newWebhookSecret();
  const id = await test.destination(acme, 'webhook', 'https://169.254.169.254/latest', secret);
  await test.append(acme, 1);
  await test.exporter().settle();
  expect(await state(acme, id)).toMatchObject({ seq: 0, error: 'ENDPOINT_FORBIDDEN' });
});

it('a destination whose address went with destroyed keys is tried no more, and neighbours are sent what is theirs', async () => {
  const ids = [await toSplunk(acme), await toSplunk(globex)] as const;
  await test.destroyKeys(acme);
  await Promise.all([test.append(acme, 3), test.append(globex, 3)]);
  await test.exporter().settle();
  await test.passSeconds(86_400);
  await test.exporter().settle();
  expect(await state(acme, ids[0])).toMatchObject({ seq: 0, failures: 0, error: null });
  expect(await state(globex, ids[1])).toMatchObject({ seq: 3 });
  expect(arrived(splunk, acme)).toEqual([]);
});

it('a tenant’s SQL makes deliveries of its own alone, and reads none', async () => {
  const id = await toSplunk(acme);
  const as = (tenant: TenantRef, text: string, values: unknown[]) =>
    test.db.database.within(tenant, () =>
      test.db.transactions.run(() => test.db.database.query({ text, values })),
    );
  await as(globex, 'SELECT audit.deliver_to($1, true)', [id]);
  const { rows } = await test.db.superuser.query(
    'SELECT tenant FROM audit.deliveries WHERE destination = $1 ORDER BY tenant',
    [id],
  );
  expect(rows).toEqual([acme.id, globex.id].sort().map((tenant) => ({ tenant })));
  await expect(as(globex, 'SELECT * FROM audit.deliveries', [])).rejects.toMatchObject({ code: '42501' });
  // It names no destination of that tenant, so nothing is sent, and it is forgotten.
  await test.append(globex, 1);
  await test.exporter().settle();
  expect(await state(globex, id)).toBeUndefined();
});
