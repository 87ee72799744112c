import { hash, randomBytes, randomUUID } from 'node:crypto';
import { chainHash, EMPTY_CHAIN, leafHash } from '@waxell/transparency';
import type pg from 'pg';
import type { CanonicalEvent } from '../src/audit/audit-event.ts';
import type { TenantRef } from '../src/platform/database/index.ts';
import type { TenantObjects } from '../src/platform/objects/index.ts';
import { built, startLogDatabase } from './log-database.ts';

const { tenantId } = await built<typeof import('../src/platform/database/index.js')>(
  'platform/database/index.js',
);
const { AuditLog } = await built<typeof import('../src/audit/audit-log.js')>('audit/audit-log.js');
const { ColdLog } = await built<typeof import('../src/audit/cold-log.js')>('audit/cold-log.js');
const { VerifyLog } = await built<typeof import('../src/audit/verify-log.js')>('audit/verify-log.js');
const { canonicalEvent, newEventId } =
  await built<typeof import('../src/audit/audit-event.js')>('audit/audit-event.js');

/** Nothing gets cold here. */
const NO_OBJECTS = undefined as unknown as TenantObjects;
/** About what the sealed address and user agent of a request's event take. */
const CLIENT_BYTES = 220;

/** A PostgreSQL of the bench's own, with the log of the application and the two that it is compared with. */
export interface AuditBench {
  readonly tenants: readonly TenantRef[];
  /** Appends an event and resolves when it is durable. */
  readonly append: Record<'ours' | 'unchained' | 'headLock', (tenant: TenantRef) => Promise<void>>;
  /** Events that the application's log has verified, and the processor time that it took, in seconds. */
  verify(tenant: TenantRef): Promise<{ checked: number; cpuSeconds: number }>;
  /** As many times the three hashes of an event that weighs as much, and nothing else: the processor time in seconds. */
  hashing(events: number): number;
  /** Events in the logs of all tenants by their heads, and rows of the tables of the other two. */
  counted(): Promise<{ ours: number; unchained: number; headLock: number }>;
  version(): Promise<string>;
  close(): Promise<void>;
}

export async function startAuditBench(tenants: number, connections: number): Promise<AuditBench> {
  const database = await startLogDatabase(connections);
  const { cells, plain } = database;
  await plain.query(OTHERS);
  const refs = Array.from({ length: tenants }, () =>
    cells.home.tenant(tenantId(`t_${randomBytes(8).toString('hex')}`)),
  );
  // A log begins only where there is a schema; what is in it plays no part here.
  for (const { id } of refs) await plain.query(`CREATE SCHEMA "${id}"`);
  await plain.query(`INSERT INTO bench.heads SELECT t, 0, $2 FROM unnest($1::text[]) t`, [
    refs.map(({ id }) => id),
    EMPTY_CHAIN,
  ]);
  const log = new AuditLog(cells);
  return {
    tenants: refs,
    append: {
      ours: (tenant) => log.append(tenant, eventOf(tenant)),
      unchained: (tenant) => insertPlain(plain, tenant, eventOf(tenant)),
      headLock: (tenant) => insertUnderLock(plain, tenant, eventOf(tenant)),
    },
    verify: async (tenant) => {
      const before = process.cpuUsage();
      const { valid, checked } = await new VerifyLog(cells, log, new ColdLog(cells, NO_OBJECTS)).execute(
        tenant,
      );
      const { user: used, system } = process.cpuUsage(before);
      if (!valid) throw new Error('The log does not verify.');
      return { checked, cpuSeconds: (used + system) / 1e6 };
    },
    hashing: (events) => {
      const { bytes } = eventOf(refs[0] as TenantRef);
      const [link, node] = [Buffer.alloc(72), Buffer.alloc(65)];
      const before = process.cpuUsage();
      for (let event = 0; event < events; event += 1)
        for (const hashed of [bytes, link, node]) hash('sha256', hashed, 'binary');
      const { user: used, system } = process.cpuUsage(before);
      return (used + system) / 1e6;
    },
    counted: async () => {
      const { rows } = await plain.query<{ ours: string; unchained: string; head_lock: string }>(
        `SELECT (SELECT count(*) FROM audit.events) AS ours, (SELECT count(*) FROM bench.unchained) AS unchained,
           (SELECT count(*) FROM bench.chained) AS head_lock`,
      );
      const [row] = rows;
      return {
        ours: Number(row?.ours),
        unchained: Number(row?.unchained),
        headLock: Number(row?.head_lock),
      };
    },
    version: () => database.version(),
    close: async () => {
      await log.onApplicationShutdown();
      await database.close();
    },
  };
}

/** What the event of a read says, with what a client's sealed part weighs. */
function eventOf(tenant: TenantRef): CanonicalEvent {
  const client = { id: randomUUID(), sealed: randomBytes(CLIENT_BYTES).toString('base64') };
  const actor = { type: 'api_key', id: '01999999-0000-7000-8000-000000000001' } as const;
  return canonicalEvent(
    newEventId(),
    tenant,
    {
      action: 'agent.read',
      actor,
      outcome: 'success',
      resource: { type: 'agent', id: '01999999-0000-7000-8000-000000000002' },
      request: { id: randomUUID(), method: 'GET', path: '/v1/agents/{id}' },
      policies: ['role:Developer'],
    },
    undefined,
    client,
  );
}

/** The same rows with a primary key, without hashes; and with a chain under the lock of a head. */
const COLUMNS = `tenant text NOT NULL, seq bigint NOT NULL, id uuid NOT NULL, at timestamptz NOT NULL, action text NOT NULL,
  actor text NOT NULL, outcome text NOT NULL, event bytea NOT NULL`;
const OTHERS = `
  CREATE SCHEMA bench;
  CREATE SEQUENCE bench.numbers;
  CREATE TABLE bench.unchained (${COLUMNS}, PRIMARY KEY (tenant, seq));
  CREATE TABLE bench.chained (${COLUMNS}, leaf_hash bytea NOT NULL, chain_hash bytea NOT NULL, PRIMARY KEY (tenant, seq));
  CREATE TABLE bench.heads (tenant text PRIMARY KEY, seq bigint NOT NULL, chain_hash bytea NOT NULL);`;

/** One insert, one transaction. */
async function insertPlain(
  pool: pg.Pool,
  { id }: TenantRef,
  { bytes, search }: CanonicalEvent,
): Promise<void> {
  await pool.query({
    name: 'unchained',
    text: `INSERT INTO bench.unchained VALUES ($1, nextval('bench.numbers'), $2, $3, $4, $5, $6, $7)`,
    values: [id, search.id, search.at, search.action, search.actor, search.outcome, bytes],
  });
}

/** A chain as it is usually made: read the head under its lock, insert, advance the head. */
async function insertUnderLock(
  pool: pg.Pool,
  { id }: TenantRef,
  { bytes, search }: CanonicalEvent,
): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const { rows } = await client.query<{ seq: string; chain_hash: Buffer }>({
      name: 'head',
      text: 'SELECT seq, chain_hash FROM bench.heads WHERE tenant = $1 FOR UPDATE',
      values: [id],
    });
    const seq = Number(rows[0]?.seq) + 1;
    const leaf = leafHash(bytes);
    const chain = chainHash(rows[0]?.chain_hash ?? EMPTY_CHAIN, seq, leaf);
    await client.query({
      name: 'chained',
      text: 'INSERT INTO bench.chained VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)',
      values: [
        id,
        seq,
        search.id,
        search.at,
        search.action,
        search.actor,
        search.outcome,
        bytes,
        leaf,
        chain,
      ],
    });
    await client.query({
      name: 'advance',
      text: 'UPDATE bench.heads SET seq = $2, chain_hash = $3 WHERE tenant = $1',
      values: [id, seq, chain],
    });
    await client.query('COMMIT');
  } finally {
    client.release();
  }
}
