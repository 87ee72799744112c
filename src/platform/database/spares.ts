import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { latestOf, type CompiledMigration } from './migration.js';
import { sendTogether, type OwnerConnections } from './owner-connections.js';
import { tenantId, type TenantId } from './tenant-id.js';
import { creationOf } from './tenant-schemas.js';

/** One process at a time fills a database's pool of spares. */
const FILLER_LOCK = 7_283_006;
/** No refill begins with more missing than this many at once; the next look goes on. */
const BUILT_AT_ONCE = 50;

/** How a database's pool of spares stands. */
export interface SpareCount {
  /** Free, and not behind this program. */
  readonly ready: number;
  /** Whether a newer program than this has migrated the database: what we would build is out of date. */
  readonly outdated: boolean;
}

export interface Refill {
  readonly target: number;
  /** Of the time that building takes, how much is rested after each. */
  readonly rest: number;
  readonly signal: AbortSignal;
}

/**
 * Tenants of one database that are built before anybody asks for them: role and schema at the current version, under an
 * id that becomes the new tenant's. A spare is either in its row free, claimed, or gone from the table for good.
 */
export class Spares {
  readonly #latest: number;

  constructor(
    private readonly owner: OwnerConnections,
    /** With the right to look at spares and to claim them. */
    private readonly control: pg.Pool,
    private readonly migrations: readonly CompiledMigration[],
  ) {
    this.#latest = latestOf(migrations);
  }

  /** Takes a spare that nobody else gets; undefined where there is none. One statement, some tenths of a millisecond. */
  async claim(): Promise<TenantId | undefined> {
    const { rows } = await this.control.query<{ schema: string }>({
      name: 'spare_claim',
      text: `UPDATE migrations.spares SET claimed_at = now() WHERE schema = (
          SELECT p.schema FROM migrations.spares p JOIN migrations.schemas s USING (schema)
          WHERE p.claimed_at IS NULL AND s.version >= $1
          ORDER BY p.built_at LIMIT 1 FOR UPDATE OF p SKIP LOCKED)
        RETURNING schema`,
      values: [this.#latest],
    });
    return rows[0] && tenantId(rows[0].schema);
  }

  /** Gives a claimed spare back. Only for whoever claimed it, and knows that nothing has been done with it. */
  async giveBack(spare: TenantId): Promise<void> {
    await this.control.query('UPDATE migrations.spares SET claimed_at = NULL WHERE schema = $1', [spare]);
  }

  /** Claimed longer ago than so many seconds, and still no tenant: whoever claimed them is gone. */
  async abandoned(seconds: number): Promise<TenantId[]> {
    const { rows } = await this.control.query<{ schema: string }>(
      `SELECT schema FROM migrations.spares
       WHERE claimed_at <= now() - make_interval(secs => $1) ORDER BY claimed_at LIMIT 100`,
      [seconds],
    );
    return rows.map(({ schema }) => tenantId(schema));
  }

  async count(): Promise<SpareCount> {
    const { rows } = await this.control.query<{ ready: number; newest: string | null }>({
      name: 'spare_count',
      text: `SELECT (SELECT count(*)::int FROM migrations.spares p JOIN migrations.schemas s USING (schema)
            WHERE p.claimed_at IS NULL AND s.version >= $1) AS ready,
          (SELECT max(version) FROM migrations.schemas) AS newest`,
      values: [this.#latest],
    });
    return { ready: rows[0]?.ready ?? 0, outdated: Number(rows[0]?.newest ?? 0) > this.#latest };
  }

  /** Builds what is missing, unless another process is at it. Answers how many it built. */
  async refill({ target, rest, signal }: Refill): Promise<number> {
    const missing = async (): Promise<boolean> => {
      const { ready, outdated } = await this.count();
      return !outdated && ready < target;
    };
    if (!(await missing())) return 0;
    return this.owner.use(async (client) => {
      const locked = await client.query<{ mine: boolean }>('SELECT pg_try_advisory_lock($1) AS mine', [
        FILLER_LOCK,
      ]);
      if (locked.rows[0]?.mine !== true) return 0;
      let built = 0;
      while (built < BUILT_AT_ONCE && !signal.aborted && (await missing())) {
        const begun = performance.now();
        await this.build(client);
        built += 1;
        // An abort ends the rest early; it is the loop's condition that ends the work.
        await sleep((performance.now() - begun) * rest, undefined, { signal }).catch(() => undefined);
      }
      await client.query('SELECT pg_advisory_unlock($1)', [FILLER_LOCK]);
      return built;
    });
  }

  /** Builds one, in one transaction and one message: there is a whole spare afterwards, or nothing. */
  async build(client: pg.ClientBase): Promise<TenantId> {
    const spare = tenantId(`t_${randomBytes(8).toString('hex')}`);
    await sendTogether(client, [
      'BEGIN',
      ...creationOf(spare, this.migrations),
      `INSERT INTO migrations.spares (schema) VALUES ('${spare}')`,
      'COMMIT',
    ]);
    return spare;
  }
}
