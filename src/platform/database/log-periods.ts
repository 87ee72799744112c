import type pg from 'pg';
import type { Cell } from './cells.js';
import { asOwner } from './owner-session.js';

/** Held by whoever makes, begins or drops periods of a cell's logs. */
const PERIODS_LOCK = 7_283_010;
/** Tables that are ready for the periods to come. */
const AHEAD = 2;
const DAYS = 7;

/** What is kept in periods: the events, and by what they are found. Each with its key, which is of each period's table. */
const KEPT = [
  { whole: 'audit.events', key: 'tenant, seq' },
  { whole: 'audit.postings', key: 'tenant, bucket, block' },
] as const;
type Whole = (typeof KEPT)[number]['whole'];

/** A time in which events were appended, and the table of the events. */
export interface LogPeriod {
  readonly period: number;
  /** `audit.events_<period>`. */
  readonly table: string;
  /** When the next one began: nothing was appended to this one since. */
  readonly endedAt: Date;
}

/** A table holds other events than were accounted for. Nothing was dropped. */
export class PeriodNotAccounted extends Error {
  override readonly name = 'PeriodNotAccounted';
}

/**
 * The tables that a cell's events are in, one for each period. As the database's owner: no login of the running system may
 * take an event out of a log. Each call may be repeated, and made by many processes at once.
 */
export class LogPeriods {
  constructor(private readonly cell: Cell) {}

  /** Makes the tables of periods to come, and begins the next period when the present one has lasted long enough. */
  async keep(days = DAYS): Promise<void> {
    if (await this.#inOrder(days)) return;
    await this.#locked(async (client) => {
      const current = await currentPeriod(client);
      for (let period = current; period <= current + AHEAD; period += 1) await makePeriod(client, period);
      // By the database's clock. One that is set back makes a period longer, one that is set forward shorter.
      await client.query(
        `UPDATE audit.periods n SET begun_at = now() FROM audit.periods c
         WHERE c.period = $1 AND n.period = $1 + 1 AND c.begun_at <= now() - make_interval(secs => $2)`,
        [current, days * 86_400],
      );
      await makePeriod(client, (await currentPeriod(client)) + AHEAD);
    });
  }

  /** Periods that ended so many days ago, the oldest first, whose tables are still there. */
  async ended(days: number): Promise<LogPeriod[]> {
    const { rows } = await this.cell.audit.query<{ period: number; ended_at: Date }>(
      `SELECT p.period, n.begun_at AS ended_at FROM audit.periods p JOIN audit.periods n ON n.period = p.period + 1
       WHERE p.dropped_at IS NULL AND n.begun_at <= now() - make_interval(secs => $1) ORDER BY p.period`,
      [days * 86_400],
    );
    return rows.map(({ period, ended_at: endedAt }) => ({ period, table: tableOf(period), endedAt }));
  }

  /**
   * Drops a period's table. Appending and reading go on meanwhile.
   * @param events how many events are kept elsewhere; with any other number in the table it stays
   * @throws {PeriodNotAccounted}
   */
  async drop({ period, table }: LogPeriod, events: number): Promise<void> {
    await this.#locked(async (client) => {
      if (await isAttached(client, 'audit.events', period)) {
        await requireCount(client, table, events);
        // Waits for who uses the table, and holds nobody up: all others go on with the tables that stay.
        await client.query(`ALTER TABLE audit.events DETACH PARTITION ${table} CONCURRENTLY`);
      }
      await client.query('BEGIN');
      if (await exists(client, table)) {
        await client.query(`LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
        await requireCount(client, table, events).catch(async (error: unknown) => {
          await client.query('ROLLBACK');
          await attach(client, 'audit.events', period);
          throw error;
        });
        await client.query(`DROP TABLE ${table}`);
      }
      await dropIndex(client, period);
      await client.query('UPDATE audit.periods SET dropped_at = now() WHERE period = $1', [period]);
      await client.query('COMMIT');
    });
  }

  /** Looks as the login that appends does: the owner is called only where there is something to do. */
  async #inOrder(days: number): Promise<boolean> {
    const { rows } = await this.cell.audit.query<{ ready: string; due: boolean }>(
      `SELECT (SELECT count(*) FROM audit.periods p CROSS JOIN unnest($2::text[]) whole JOIN pg_inherits i
           ON i.inhparent = whole::regclass AND i.inhrelid = to_regclass(whole || '_' || p.period) AND NOT i.inhdetachpending
           WHERE p.period >= c.period) AS ready,
         c.begun_at <= now() - make_interval(secs => $1) AS due
       FROM audit.periods c WHERE c.period = audit.current_period()`,
      [days * 86_400, KEPT.map(({ whole }) => whole)],
    );
    return rows[0] !== undefined && Number(rows[0].ready) >= KEPT.length * (AHEAD + 1) && !rows[0].due;
  }

  #locked<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    return asOwner(this.cell, async (client) => {
      await client.query('SELECT pg_advisory_lock($1)', [PERIODS_LOCK]);
      await finishDetaching(client);
      return work(client);
    });
  }
}

/** The tables that a restored database's periods say there are, and no others. They are empty. */
export async function restorePeriods(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ table: string }>(
    `SELECT i.inhrelid::regclass::text AS table FROM pg_inherits i
     WHERE i.inhparent = ANY($1::regclass[]) AND NOT EXISTS (SELECT FROM audit.periods p
       WHERE p.dropped_at IS NULL AND i.inhrelid = to_regclass(i.inhparent::regclass || '_' || p.period))`,
    [KEPT.map(({ whole }) => whole)],
  );
  for (const { table } of rows) await client.query(`DROP TABLE ${table}`);
  const kept = await client.query<{ period: number }>(
    'SELECT period FROM audit.periods WHERE dropped_at IS NULL ORDER BY period',
  );
  for (const { period } of kept.rows) await makePeriod(client, period);
}

function tableOf(period: number, whole: Whole = 'audit.events'): string {
  return `${whole}_${period}`;
}

async function currentPeriod(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ period: number | null }>('SELECT audit.current_period() AS period');
  const period = rows[0]?.period;
  if (period == null) throw new Error('The logs of this cell have no period.');
  return period;
}

/** A table that is missing is made anew: without it nothing can be appended. What was in it, verifying shows to be gone. */
async function makePeriod(client: pg.Client, period: number): Promise<void> {
  await client.query('BEGIN');
  await client.query('INSERT INTO audit.periods (period) VALUES ($1) ON CONFLICT DO NOTHING', [period]);
  for (const { whole, key } of KEPT) {
    const table = tableOf(period, whole);
    if (!(await exists(client, table)))
      await client.query(
        `CREATE TABLE ${table} (LIKE ${whole} INCLUDING DEFAULTS INCLUDING STORAGE INCLUDING INDEXES, PRIMARY KEY (${key}))`,
      );
    // Locks the new table alone against writers; who appends to another goes on.
    if (!(await isAttached(client, whole, period))) await attach(client, whole, period);
  }
  await client.query('COMMIT');
}

async function attach(client: pg.Client, whole: Whole, period: number): Promise<void> {
  await client.query(
    `ALTER TABLE ${whole} ATTACH PARTITION ${tableOf(period, whole)} FOR VALUES IN (${period})`,
  );
}

/** By what a period's events were found. Whoever searches waits for it, which is a moment; whoever appends does not. */
async function dropIndex(client: pg.Client, period: number): Promise<void> {
  await client.query(`DROP TABLE IF EXISTS ${tableOf(period, 'audit.postings')}`);
  await client.query('DELETE FROM audit.indexed WHERE period = $1', [period]);
}

async function exists(client: pg.Client, table: string): Promise<boolean> {
  const { rows } = await client.query('SELECT 1 WHERE to_regclass($1) IS NOT NULL', [table]);
  return rows.length === 1;
}

async function isAttached(client: pg.Client, whole: Whole, period: number): Promise<boolean> {
  const { rows } = await client.query(
    `SELECT 1 FROM pg_inherits WHERE inhparent = $1::regclass AND inhrelid = to_regclass($2)`,
    [whole, tableOf(period, whole)],
  );
  return rows.length === 1;
}

/** Detaching concurrently is two transactions: a process that died between them has left it half done. */
async function finishDetaching(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ table: string }>(
    `SELECT inhrelid::regclass::text AS table FROM pg_inherits
     WHERE inhparent = 'audit.events'::regclass AND inhdetachpending`,
  );
  for (const { table } of rows)
    await client.query(`ALTER TABLE audit.events DETACH PARTITION ${table} FINALIZE`);
}

async function requireCount(client: pg.Client, table: string, events: number): Promise<void> {
  const { rows } = await client.query<{ events: string }>(`SELECT count(*) AS events FROM ${table}`);
  const found = Number(rows[0]?.events);
  if (found !== events)
    throw new PeriodNotAccounted(`${table} has ${found} events; ${events} are kept elsewhere.`);
}
