/**
 * Finding events in a large log of one organisation: by the index that is written behind the log, beside b-trees over
 * the events' columns. Then what appending costs with and without those b-trees.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import type { PersonalParts } from '../src/audit/personal-parts.ts';
import type { AuditQuery } from '../src/audit/audit.dto.ts';
import type { TenantObjects } from '../src/platform/objects/index.ts';
import type { TenantRef } from '../src/platform/database/index.ts';
import { inProcess } from './in-process-load.ts';
import { built, startLogDatabase, type LogDatabase } from './log-database.ts';
import { compare, table, type BenchOptions, type BenchResult } from './measure.ts';
import { ACTOR_IN_ALL, fillLog, QUERIES, RARE_ACTOR } from './search-data.ts';

const { tenantId } = await built<typeof import('../src/platform/database/index.js')>(
  'platform/database/index.js',
);
const { AuditLog } = await built<typeof import('../src/audit/audit-log.js')>('audit/audit-log.js');
const { ColdLog } = await built<typeof import('../src/audit/cold-log.js')>('audit/cold-log.js');
const { FindEvents } = await built<typeof import('../src/audit/find-events.js')>('audit/find-events.js');
const { IndexLog } = await built<typeof import('../src/audit/index-log.js')>('audit/index-log.js');
const { LogReader } = await built<typeof import('../src/audit/log-reader.js')>('audit/log-reader.js');
const { Postings } = await built<typeof import('../src/audit/postings.js')>('audit/postings.js');
const { SearchLog } = await built<typeof import('../src/audit/search-log.js')>('audit/search-log.js');
const { canonicalEvent, newEventId } =
  await built<typeof import('../src/audit/audit-event.js')>('audit/audit-event.js');

const EVENTS = Number(process.env['BENCH_SEARCH_EVENTS'] ?? 500_000);
const RUNS = 200;
const CALLERS = 64;
const BTREES = `
  CREATE INDEX IF NOT EXISTS bench_action ON audit.events (tenant, action, seq);
  CREATE INDEX IF NOT EXISTS bench_actor ON audit.events (tenant, actor, seq);`;

export default async function search({ say }: BenchOptions): Promise<BenchResult> {
  const database = await startLogDatabase(4);
  try {
    const { cells, plain } = database;
    const tenant = cells.home.tenant(tenantId(`t_${randomBytes(8).toString('hex')}`));
    await plain.query(`CREATE SCHEMA "${tenant.id}"`);
    await fillLog(plain, tenant.id, EVENTS, say);
    const indexed = await indexLog(database, tenant);
    say(`indexed ${EVENTS} events in ${indexed.seconds} s; ${indexed.bytes} bytes of index for each event`);
    const ours = await timesOf(QUERIES, asApplication(database, tenant));
    await plain.query(`${BTREES} ANALYZE audit.events`);
    const btreeBytes = await bytesPerEvent(plain, 'bench');
    say(`b-trees over action and actor: ${btreeBytes} bytes for each event`);
    const btree = await timesOf(
      Object.fromEntries(Object.entries(QUERIES).filter(([, query]) => btreeCan(query))),
      btrees(database, tenant),
    );
    for (const [name, times] of Object.entries(ours)) say(line(name, times, btree[name]));
    const append = await appendWithout(database);
    for (const one of table({ append })) say(one);
    return {
      ratios: { append: append.ratio },
      absolute: {
        events: EVENTS,
        index_bytes_per_event: indexed.bytes,
        btree_bytes_per_event: btreeBytes,
        indexed_per_second: indexed.perSecond,
        ours,
        btree,
        append,
      },
      postgres: await database.version(),
    };
  } finally {
    await database.close();
  }
}

interface Times {
  readonly p50: number;
  readonly p99: number;
  readonly found: number;
}

type Query = Partial<AuditQuery>;
type Ask = (query: Query) => Promise<number>;

/** As the application searches: outbox, heads, index, events; nothing is opened, as that depends on what is found. */
function asApplication({ cells }: LogDatabase, tenant: TenantRef): Ask {
  const log = new AuditLog(cells);
  const personal = { of: () => Promise.resolve(undefined) } as unknown as PersonalParts;
  const cold = new ColdLog(cells, undefined as unknown as TenantObjects);
  const searchLog = new SearchLog(cells, log, personal, cold, new FindEvents(cells, new Postings(cells)));
  return async (query) => (await searchLog.execute(tenant, { limit: 50, ...query })).items.length;
}

/** One statement over columns that have a b-tree. */
function btrees({ cells }: LogDatabase, tenant: TenantRef): Ask {
  const { audit } = cells.home;
  return async ({ action, actor, cursor }) => {
    const before = cursor === undefined ? null : Buffer.from(cursor, 'base64url').toString();
    const { rowCount } = await audit.query(
      `SELECT seq, event, chain_hash FROM audit.events WHERE tenant = $1
         ${action === undefined ? '' : `AND action = '${action}'`} ${actor === undefined ? '' : `AND actor = '${actor}'`}
         AND seq < COALESCE($2::bigint, 9223372036854775807) ORDER BY seq DESC LIMIT 51`,
      [tenant.id, before],
    );
    return rowCount ?? 0;
  };
}

function btreeCan({ resourceId, resourceType, requestId, outcome, since }: Query): boolean {
  return [resourceId, resourceType, requestId, outcome, since].every((value) => value === undefined);
}

async function timesOf(queries: Record<string, Query>, ask: Ask): Promise<Record<string, Times>> {
  const result: Record<string, Times> = {};
  for (const [name, query] of Object.entries(queries)) {
    for (let at = 0; at < 20; at += 1) await ask(query);
    const times: number[] = [];
    let found = 0;
    for (let at = 0; at < RUNS; at += 1) {
      const begun = performance.now();
      found = await ask(query);
      times.push(performance.now() - begun);
    }
    times.sort((a, b) => a - b);
    const at = (part: number): number =>
      Number((times[Math.floor((RUNS - 1) * part)] ?? Number.NaN).toFixed(2));
    result[name] = { p50: at(0.5), p99: at(0.99), found };
  }
  return result;
}

async function indexLog({ cells, plain }: LogDatabase, tenant: TenantRef) {
  const cold = new ColdLog(cells, undefined as unknown as TenantObjects);
  const index = new IndexLog(cells, new LogReader(cells, cold), cold, new Postings(cells));
  const begun = performance.now();
  while (await index.complete(tenant, EVENTS));
  const seconds = (performance.now() - begun) / 1_000;
  await plain.query('VACUUM ANALYZE audit.postings, audit.indexed');
  return {
    seconds: Math.round(seconds),
    perSecond: Math.round(EVENTS / seconds),
    bytes: await bytesPerEvent(plain, 'postings'),
  };
}

async function bytesPerEvent(plain: LogDatabase['plain'], what: 'postings' | 'bench'): Promise<number> {
  const { rows } = await plain.query<{ bytes: string }>(
    what === 'postings'
      ? `SELECT sum(pg_total_relation_size(c.oid)) AS bytes FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = 'audit' AND c.relkind = 'r' AND (c.relname LIKE 'postings_%' OR c.relname = 'indexed')`
      : `SELECT sum(pg_relation_size(i.indexrelid)) AS bytes FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
         WHERE c.relname ~ '_tenant_(action|actor)_seq_idx'`,
  );
  return Number((Number(rows[0]?.bytes) / EVENTS).toFixed(1));
}

/** Appending with the b-trees, and without them as it is. */
async function appendWithout(database: LogDatabase) {
  const indexed = await database.another('with_btrees');
  await indexed.plain.query(BTREES);
  const bare = await database.another('without_btrees');
  const side = async ({ cells, plain }: Pick<LogDatabase, 'cells' | 'plain'>) => {
    const tenant = cells.home.tenant(tenantId(`t_${randomBytes(8).toString('hex')}`));
    await plain.query(`CREATE SCHEMA "${tenant.id}"`);
    const log = new AuditLog(cells);
    return inProcess(() => log.append(tenant, eventOf(tenant)), CALLERS);
  };
  return compare({ baseline: await side(indexed), ours: await side(bare) });
}

function eventOf(tenant: TenantRef) {
  const client = { id: randomUUID(), sealed: randomBytes(220).toString('base64') };
  return canonicalEvent(
    newEventId(),
    tenant,
    {
      action: 'agent.read',
      actor: { type: 'api_key', id: Math.random() < 0.1 ? RARE_ACTOR : ACTOR_IN_ALL },
      outcome: 'success',
      resource: { type: 'agent', id: randomUUID() },
      request: { id: randomUUID(), method: 'GET', path: '/v1/agents/{id}' },
      policies: ['role:Developer'],
    },
    undefined,
    client,
  );
}

function line(name: string, { p50, p99, found }: Times, btree: Times | undefined): string {
  const beside = btree ? `b-tree p50 ${btree.p50} ms, p99 ${btree.p99} ms` : 'no b-tree';
  return `${name.padEnd(34)} p50 ${p50} ms, p99 ${p99} ms, ${found} found   (${beside})`;
}
