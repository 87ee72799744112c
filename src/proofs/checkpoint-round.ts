import type pg from 'pg';
import {
  Frontier,
  leafHash,
  signCheckpoint,
  tileRoot,
  TILE_WIDTH,
  type NoteSigner,
} from '@waxell/transparency';
import { CHECKPOINT_ROUND_LOCK } from '../platform/database/index.js';
import { LogTree, ROOT_LOG, type TileObjects } from './log-tree.js';

const LOGS_PER_ROUND = 500;
/** A round is one transaction: it stays short, and what is left is done by the next one, at once. */
const TILES_PER_ROUND = 400;

export interface RoundOptions {
  readonly client: pg.PoolClient;
  /** Where leaves of logs are read that are in cold storage. */
  readonly objects: TileObjects;
  readonly signers: readonly NoteSigner[];
  /** What the origins of logs begin with. */
  readonly origin: string;
  /** Each cell has a log of checkpoints of its own: two of one origin would pass for one log that was forked. */
  readonly cell: string;
}

interface Head {
  readonly log: string;
  readonly size: number;
  readonly chain: Buffer;
  readonly frontier: Buffer;
  /** Full tiles of leaves that are in the levels above already. */
  readonly tiles: number;
  /** There is a checkpoint of this size. */
  readonly signed: boolean;
}

interface Checkpointed {
  readonly log: string;
  readonly size: number;
  readonly root: Buffer;
  readonly note: string;
}

/**
 * One round over a cell's logs, in the transaction that the client is in: raises full tiles into the levels above, signs
 * a checkpoint of every log that has grown, and enters all of them into the log of checkpoints, which gets one itself.
 * Returns whether there is more to do; undefined where another process is at it.
 */
export async function checkpointRound(options: RoundOptions): Promise<boolean | undefined> {
  const { client, signers, origin } = options;
  const lock = await client.query<{ held: boolean }>('SELECT pg_try_advisory_xact_lock($1) AS held', [
    CHECKPOINT_ROUND_LOCK,
  ]);
  if (!lock.rows[0]?.held) return undefined;
  const grown = await grownLogs(client);
  const done: Checkpointed[] = [];
  let budget = TILES_PER_ROUND;
  for (const head of grown) {
    const raised = await raiseTiles(
      options,
      head.log,
      head.tiles,
      Math.floor(head.size / TILE_WIDTH),
      budget,
    );
    budget -= raised.count;
    // What was signed before the log came here is not signed again: whoever has kept it has that one.
    if (raised.complete && !head.signed) done.push(checkpointOf(head, origin, signers));
    await noteProgress(client, head.log, raised.complete ? head.size : undefined, head.tiles + raised.count);
    if (budget <= 0) break;
  }
  if (done.length > 0) await enterIntoRoots(options, done);
  await forgetSuperseded(client);
  return budget <= 0 || grown.length === LOGS_PER_ROUND;
}

async function grownLogs(client: pg.PoolClient): Promise<Head[]> {
  const { rows } = await client.query<{
    tenant: string;
    seq: string;
    chain_hash: Buffer;
    frontier: Buffer;
    tiles: string;
    signed: boolean;
  }>(
    `SELECT h.tenant, h.seq, h.chain_hash, h.frontier, COALESCE(p.tiles, 0) AS tiles,
       EXISTS (SELECT FROM audit.checkpoints c WHERE c.log = h.tenant AND c.size = h.seq) AS signed
     FROM audit.heads h LEFT JOIN audit.progress p ON p.log = h.tenant
     WHERE h.seq > COALESCE(p.size, 0) AND h.closed_at IS NULL LIMIT ${LOGS_PER_ROUND}`,
  );
  return rows.map((row) => ({
    log: row.tenant,
    size: Number(row.seq),
    chain: row.chain_hash,
    frontier: row.frontier,
    tiles: Number(row.tiles),
    signed: row.signed,
  }));
}

/** Full tiles never change. They are stored as objects afterwards: what is signed waits for no store. */
async function raiseTiles(
  { client, objects }: RoundOptions,
  log: string,
  from: number,
  to: number,
  budget: number,
): Promise<{ count: number; complete: boolean }> {
  const tree = new LogTree(client, log, objects);
  const end = Math.min(to, from + budget);
  for (let index = from; index < end; index += 1) {
    const leaves = await tree.full({ level: 0, index });
    await tree.raise(1, index, tileRoot(leaves));
  }
  if (end > from)
    await client.query(
      `INSERT INTO audit.unstored AS u (log, first, last) VALUES ($1, $2, $3)
       ON CONFLICT (log) DO UPDATE SET first = LEAST(u.first, excluded.first), last = GREATEST(u.last, excluded.last)`,
      [log, from, end],
    );
  return { count: end - from, complete: end === to };
}

function checkpointOf(head: Head, origin: string, signers: readonly NoteSigner[]): Checkpointed {
  const root = Frontier.of(head.frontier, head.size).root();
  const extension = [`time ${new Date().toISOString()}`, `chain ${head.chain.toString('base64')}`];
  const note = signCheckpoint({ origin: `${origin}/${head.log}`, size: head.size, root, extension }, signers);
  return { log: head.log, size: head.size, root, note };
}

/** The checkpoints become entries of the log of checkpoints: a tenant cannot be shown another log than everybody else. */
async function enterIntoRoots(options: RoundOptions, entries: readonly Checkpointed[]): Promise<void> {
  const { client, origin, cell, signers } = options;
  const head = await client.query<{ size: string; frontier: Buffer | null; tiles: string }>(
    'SELECT size, frontier, tiles FROM audit.progress WHERE log = $1',
    [ROOT_LOG],
  );
  const { size: before = '0', frontier: edge = null, tiles = '0' } = head.rows[0] ?? {};
  const from = Number(before);
  const frontier = Frontier.of(edge ?? Buffer.alloc(0), from);
  const leaves = entries.map(({ note }) => leafHash(Buffer.from(note)));
  for (const leaf of leaves) frontier.append(leaf);
  const size = from + entries.length;
  await client.query(
    `INSERT INTO audit.roots (seq, leaf_hash)
     SELECT $1 + ordinality, leaf FROM unnest($2::bytea[]) WITH ORDINALITY AS e(leaf)`,
    [from, leaves],
  );
  const full = Math.floor(size / TILE_WIDTH);
  await raiseTiles(options, ROOT_LOG, Number(tiles), full, TILES_PER_ROUND);
  await client.query(
    `INSERT INTO audit.progress (log, size, tiles, frontier) VALUES ($1, $2, $3, $4)
     ON CONFLICT (log) DO UPDATE SET size = excluded.size, tiles = excluded.tiles, frontier = excluded.frontier`,
    [ROOT_LOG, size, full, frontier.bytes()],
  );
  const root = frontier.root();
  const text = {
    origin: `${origin}/${ROOT_LOG}/${cell}`,
    size,
    root,
    extension: [`time ${new Date().toISOString()}`],
  };
  const own = { log: ROOT_LOG, size, root, note: signCheckpoint(text, signers) };
  await client.query(
    `INSERT INTO audit.checkpoints (log, size, root, note, root_seq, stored)
     SELECT log, size, root, note, seq, log <> $6
     FROM unnest($1::text[], $2::bigint[], $3::bytea[], $4::text[], $5::bigint[]) AS e(log, size, root, note, seq)
     ON CONFLICT (log, size) DO UPDATE SET note = excluded.note, at = now(), root_seq = excluded.root_seq`,
    [
      [...entries.map(({ log }) => log), ROOT_LOG],
      [...entries.map((entry) => entry.size), size],
      [...entries.map((entry) => entry.root), root],
      [...entries.map(({ note }) => note), own.note],
      [...entries.map((_, at) => from + at + 1), null],
      ROOT_LOG,
    ],
  );
}

async function noteProgress(
  client: pg.PoolClient,
  log: string,
  size: number | undefined,
  tiles: number,
): Promise<void> {
  await client.query(
    `INSERT INTO audit.progress AS p (log, size, tiles) VALUES ($1, COALESCE($2::bigint, 0), $3)
     ON CONFLICT (log) DO UPDATE SET size = COALESCE($2::bigint, p.size), tiles = excluded.tiles`,
    [log, size ?? null, tiles],
  );
}

/**
 * The last days' are kept, and of each log the last. Of others it stays where they are in the log of checkpoints, by which
 * whoever has kept one has it proven; the log's own are in the object store, where the next one goes on from the last.
 */
async function forgetSuperseded(client: pg.PoolClient): Promise<void> {
  await client.query(
    `WITH gone AS (
       DELETE FROM audit.checkpoints WHERE ctid IN (
         SELECT c.ctid FROM audit.checkpoints c JOIN audit.progress p ON p.log = c.log
         WHERE c.at < now() - interval '7 days' AND c.size < p.size AND c.stored AND (c.log <> $1 OR EXISTS (
           SELECT FROM audit.checkpoints l WHERE l.log = c.log AND l.size > c.size AND l.stored)) LIMIT 1000)
       RETURNING log, size, root_seq, published_in)
     INSERT INTO audit.published (log, size, root_seq, published_in)
     SELECT log, size, root_seq, published_in FROM gone WHERE root_seq IS NOT NULL ON CONFLICT DO NOTHING`,
    [ROOT_LOG],
  );
}
