import type pg from 'pg';
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

/** Another writer has appended to one of the logs since the heads were read. Nothing was written. */
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
const HASH = 32;

/**
 * Appends events to their tenants' logs, in the order given, and returns the new heads. One statement: it advances the
 * heads where they are still as given, which locks them, and inserts the events; where any head has moved, it fails as a
 * whole (by a division by zero, as there is no other way to raise an error from plain SQL). Heads are locked in the order
 * that all writers keep to.
 */
export async function appendGroup(
  client: pg.Client | pg.PoolClient,
  events: readonly Appended[],
  heads: ReadonlyMap<string, Head>,
): Promise<Map<string, Head>> {
  const open = new Map<string, { seq: number; chain: Buffer; frontier: Frontier }>();
  const seqs: number[] = [];
  const leaves: Buffer[] = [];
  const chains: Buffer[] = [];
  for (const { tenant, bytes } of events) {
    const end = open.get(tenant) ?? opened(heads.get(tenant));
    const leaf = leafHash(bytes);
    end.seq += 1;
    end.chain = chainHash(end.chain, end.seq, leaf);
    end.frontier.append(leaf);
    open.set(tenant, end);
    seqs.push(end.seq);
    leaves.push(leaf);
    chains.push(end.chain);
  }
  const advanced = new Map(
    [...open].map(([tenant, { seq, chain, frontier }]) => [
      tenant,
      { seq, chain, frontier: frontier.bytes() },
    ]),
  );
  const tenants = [...advanced.keys()];
  const ends = [...advanced.values()];
  try {
    await client.query({
      ...APPEND,
      values: [
        tenants,
        tenants.map((tenant) => heads.get(tenant)?.seq ?? 0),
        ends.map((end) => end.seq),
        ends.map((end) => end.chain),
        ends.map((end) => end.frontier),
        // As one JSON text: arrays of text are escaped element by element.
        JSON.stringify(
          events.map(({ tenant, bytes, search }, at) => ({
            tenant,
            seq: seqs[at],
            ...search,
            length: bytes.length,
          })),
        ),
        // Binary in one piece each, and cut by the server: arrays of bytea travel as escaped hexadecimal text.
        Buffer.concat(events.map((event) => event.bytes)),
        Buffer.concat(leaves),
        Buffer.concat(chains),
      ],
    });
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === DIVISION_BY_ZERO || code === CHECK_VIOLATION) throw new HeadMoved();
    throw error;
  }
  return advanced;
}

const APPEND = {
  name: 'audit_append',
  text: `WITH next AS (
      SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bytea[], $5::bytea[])
        n(tenant, expected, seq, chain_hash, frontier)),
    locked AS MATERIALIZED (
      SELECT tenant FROM audit.heads WHERE tenant = ANY($1) ORDER BY tenant FOR UPDATE),
    advanced AS (
      UPDATE audit.heads h SET seq = n.seq, chain_hash = n.chain_hash, frontier = n.frontier
      FROM next n JOIN locked USING (tenant)
      WHERE h.tenant = n.tenant AND h.seq = n.expected
      RETURNING 1),
    complete AS (SELECT 1 / (count(*) = cardinality($1::text[]))::int AS one FROM advanced),
    cut AS (
      SELECT e.*, sum(e.length) OVER (ORDER BY e.ordinal) - e.length AS start
      FROM ROWS FROM (json_to_recordset($6::json) AS (tenant text, seq bigint, id uuid, at timestamptz, action text,
        actor text, outcome text, length int)) WITH ORDINALITY
        AS e(tenant, seq, id, at, action, actor, outcome, length, ordinal))
    INSERT INTO audit.events (period, tenant, seq, id, at, action, actor, outcome, event, leaf_hash, chain_hash)
    SELECT (SELECT audit.current_period()), tenant, seq, id, at, action, actor, outcome, substring($7::bytea, start::int + 1, length),
      substring($8::bytea, (ordinal::int - 1) * ${HASH} + 1, ${HASH}), substring($9::bytea, (ordinal::int - 1) * ${HASH} + 1, ${HASH})
    FROM cut, complete WHERE one = 1`,
};

/**
 * Reads heads under their locks, in one order for all writers; makes those that do not exist yet, if asked to also for
 * tenants without a schema here. Left out are the heads of logs that are closed, or that cannot begin here: they go on
 * elsewhere.
 */
export async function lockHeads(
  client: pg.PoolClient,
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
