import type pg from 'pg';
import { checkedCopy, CopyRows } from '../platform/database/index.js';
import { searchColumns, type SearchColumns } from './audit-event.js';
import { chainHash, EMPTY_CHAIN, Frontier, leafHash } from '@waxell/transparency';

/** An event to be appended, with what of it can be searched for. */
export interface Appended {
  readonly tenant: string;
  readonly bytes: Buffer;
  readonly search: SearchColumns;
}

/** The end of a tenant's log: all that is needed to append to it. */
export interface Head {
  readonly seq: number;
  readonly chain: Buffer;
  readonly frontier: Buffer;
}

/** Another writer has appended to one of the logs since the heads were read, or the period is over. Nothing was written. */
export class HeadMoved extends Error {
  override readonly name = 'HeadMoved';
}

/** The log goes on in another cell, or is about to. Nothing was written. */
export class LogClosed extends Error {
  override readonly name = 'LogClosed';
  constructor() {
    super('The log is not open in this cell.');
  }
}

const DIVISION_BY_ZERO = '22012';
/** A head that is closed may not advance (constraint `log_is_open`): which of them it is, is found out under locks. */
const CHECK_VIOLATION = '23514';

/**
 * Appends events to their tenants' logs, in the order given, and returns the new heads. In one flush and as one: heads are
 * advanced where they are still as given, which locks them, and the events are copied into the period's table; where any
 * head has moved, or another period has begun, it fails as a whole (by a division by zero, as there is no other way to
 * raise an error from plain SQL).
 */
export async function appendGroup(
  client: pg.Client | pg.PoolClient,
  events: readonly Appended[],
  heads: ReadonlyMap<string, Head>,
  period: number,
): Promise<Map<string, Head>> {
  const open = new Map<string, { seq: number; chain: Buffer; frontier: Frontier }>();
  const rows = new CopyRows();
  for (const { tenant, bytes, search } of events) {
    const end = open.get(tenant) ?? opened(heads.get(tenant));
    const leaf = leafHash(bytes);
    end.seq += 1;
    end.chain = chainHash(end.chain, end.seq, leaf);
    end.frontier.append(leaf);
    open.set(tenant, end);
    rows.row(COLUMNS.length);
    rows.int4(period);
    rows.text(tenant);
    rows.int8(end.seq);
    rows.uuid(search.id);
    rows.timestamptz(search.at);
    rows.text(search.action);
    rows.text(search.actor);
    rows.text(search.outcome);
    rows.bytea(bytes);
    rows.bytea(leaf);
    rows.bytea(end.chain);
  }
  const advanced = new Map(
    [...open].map(([tenant, { seq, chain, frontier }]) => [
      tenant,
      { seq, chain, frontier: frontier.bytes() },
    ]),
  );
  const tenants = [...advanced.keys()];
  const ends = [...advanced.values()];
  const values = [
    tenants,
    tenants.map((tenant) => heads.get(tenant)?.seq ?? 0),
    ends.map((end) => end.seq),
    ends.map((end) => end.chain),
    ends.map((end) => end.frontier),
    period,
  ];
  try {
    await checkedCopy(client, { ...ADVANCE, values }, COPY, rows.finish());
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === DIVISION_BY_ZERO || code === CHECK_VIOLATION) throw new HeadMoved();
    throw error;
  }
  return advanced;
}

const COLUMNS = [
  'period',
  'tenant',
  'seq',
  'id',
  'at',
  'action',
  'actor',
  'outcome',
  'event',
  'leaf_hash',
  'chain_hash',
];
const COPY = `COPY audit.events (${COLUMNS.join(', ')}) FROM STDIN (FORMAT binary)`;
/** The heads are locked in the order that all writers keep to. */
const ADVANCE = {
  name: 'audit_advance',
  text: `WITH next AS (
      SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bytea[], $5::bytea[])
        n(tenant, expected, seq, chain_hash, frontier)),
    locked AS MATERIALIZED (
      SELECT tenant FROM audit.heads WHERE tenant = ANY($1) ORDER BY tenant FOR UPDATE),
    advanced AS (
      UPDATE audit.heads h SET seq = n.seq, chain_hash = n.chain_hash, frontier = n.frontier
      FROM next n JOIN locked USING (tenant)
      WHERE h.tenant = n.tenant AND h.seq = n.expected
      RETURNING 1)
    SELECT 1 / (count(*) = cardinality($1::text[]) AND audit.current_period() = $6)::int FROM advanced`,
};

/** The period whose table takes what is appended now. */
export async function currentPeriod(client: pg.Client | pg.PoolClient): Promise<number> {
  const { rows } = await client.query<{ period: number }>({
    name: 'audit_period',
    text: 'SELECT audit.current_period() AS period',
  });
  const [row] = rows;
  if (!row) throw new Error('The logs of this cell have no period.');
  return row.period;
}

/**
 * Reads heads under their locks, in one order for all writers; makes those that do not exist yet, if asked to also for
 * tenants without a schema here. Left out are the heads of logs that are closed, or that cannot begin here: they go on
 * elsewhere.
 */
export async function lockHeads(
  client: pg.Client | pg.PoolClient,
  tenants: readonly string[],
  beginAny = false,
): Promise<Map<string, Head>> {
  const sorted = [...new Set(tenants)].sort();
  const lock = {
    name: 'audit_heads',
    text: `SELECT tenant, seq, chain_hash, frontier, closed_at IS NULL AS open FROM audit.heads
      WHERE tenant = ANY($1) ORDER BY tenant FOR UPDATE`,
    values: [sorted],
  };
  let found = await client.query<HeadRow>(lock);
  if (found.rows.length < sorted.length) {
    await client.query(
      `INSERT INTO audit.heads (tenant, seq, chain_hash, frontier)
       SELECT t, 0, $2, '' FROM unnest($1::text[]) t
       WHERE NOT EXISTS (SELECT 1 FROM audit.closed c WHERE c.tenant = t) AND ($3 OR to_regnamespace(t) IS NOT NULL)
       ORDER BY t ON CONFLICT DO NOTHING`,
      [sorted, EMPTY_CHAIN, beginAny],
    );
    found = await client.query<HeadRow>(lock);
  }
  const open = found.rows.filter((row) => row.open);
  return new Map(
    open.map((row) => [row.tenant, { seq: Number(row.seq), chain: row.chain_hash, frontier: row.frontier }]),
  );
}

/** The event of canonical bytes. @throws when they are no event of this tenant */
export function appended(tenant: string, bytes: Buffer): Appended {
  const search = searchColumns(bytes, tenant);
  if (!search) throw new Error('Not a canonical event of this tenant.');
  return { tenant, bytes, search };
}

interface HeadRow {
  tenant: string;
  seq: string;
  chain_hash: Buffer;
  frontier: Buffer;
  open: boolean;
}

function opened(head: Head | undefined) {
  if (!head) throw new Error('A log without a head cannot be appended to.');
  return { seq: head.seq, chain: head.chain, frontier: Frontier.of(head.frontier, head.seq) };
}
