import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { announcement } from './feed.js';
import { behind, noteApplied, TENANT_LOCKS, type Standing } from './ledger.js';
import { latestOf, type CompiledMigration } from './migration.js';
import { sendTogether, type OwnerConnections } from './owner-connections.js';
import { inSchema } from './tenant-schemas.js';

export interface BatchOptions {
  /** Connections that migrate at the same time. */
  readonly workers: number;
  /** Tenants in one transaction, at most. */
  readonly batch: number;
  /** Told after each transaction. */
  readonly onProgress?: (progress: Progress) => void;
}

/** Of schemas: tenants' and spares. */
export interface Progress {
  readonly done: number;
  readonly failed: number;
  readonly total: number;
}

export interface FailedTenant {
  readonly schema: string;
  readonly migration: string;
  /** In PostgreSQL's words, without what a row contains. */
  readonly reason: string;
}

export interface TenantsReport {
  readonly migrated: number;
  readonly failed: readonly FailedTenant[];
}

interface Claimed {
  readonly schema: string;
  readonly version: number;
}

/**
 * A transaction holds its locks until its end, and all of a server's have room for some 30,000: a table that is created
 * takes about 8. So many statements are at most in one transaction.
 */
const STATEMENTS_PER_TRANSACTION = 600;
/** In a batch a busy tenant makes the others wait, whose tables are locked by then; by itself only itself. */
const LOCK_TIMEOUT_IN_BATCH = '250ms';
const LOCK_TIMEOUT = '2s';
/** Before each further round; after the last, whoever is still busy has failed. A round with progress, ours or another migrator's, begins them anew. */
const BACKOFF_MS = [250, 500, 1_000, 2_000, 4_000];
/** Lock not available, deadlock, serialization failure, and no room left for locks: these pass. */
const PASSING = new Set(['55P03', '40P01', '40001', '53200']);
const BUSY = 'It was busy each time: something holds a lock on its tables. Run the migration again.';

/**
 * Brings the schemas of one database to the newest version, as many in a transaction as is good. A transaction claims the
 * schemas that nobody else has at work, so that two migrators share them; applies what they lack, notes it, and says so,
 * in one message. What is killed anywhere leaves schemas that are either as before or done.
 */
export class TenantMigrations {
  readonly #failed = new Map<string, FailedTenant>();
  #migrated = 0;
  #total = 0;

  constructor(
    private readonly owner: OwnerConnections,
    private readonly migrations: readonly CompiledMigration[],
    private readonly options: BatchOptions,
  ) {}

  /** Migrates those named and nobody else, one by one. */
  async only(schemas: readonly string[]): Promise<TenantsReport> {
    this.#total = schemas.length;
    await this.#inRounds({ named: schemas, batch: 1, workers: 1 });
    return this.#report();
  }

  async all(): Promise<TenantsReport> {
    const standing = await this.owner.use((client) => behind(client, this.migrations));
    this.#total = standing.reduce((sum, { tenants, spares }) => sum + tenants + spares, 0);
    const { workers } = this.options;
    if (this.#total > 0) await this.#inRounds({ batch: this.#batchFor(standing), workers });
    return this.#report();
  }

  #report(): TenantsReport {
    return { migrated: this.#migrated, failed: [...this.#failed.values()] };
  }

  #batchFor(standing: readonly Standing[]): number {
    const oldest = standing[0]?.version ?? 0;
    const statements = this.#since(oldest).reduce((sum, migration) => sum + migration.statements.length, 0);
    return Math.max(
      1,
      Math.min(this.options.batch, Math.floor(STATEMENTS_PER_TRANSACTION / Math.max(1, statements))),
    );
  }

  /** The first round takes batches; what was busy then, or claimed by another migrator, is tried again one by one. */
  async #inRounds(first: { named?: readonly string[]; batch: number; workers: number }): Promise<void> {
    const { named, workers } = first;
    let { batch } = first;
    let known = Infinity;
    let idle = 0;
    for (;;) {
      const claims = new Claims(latestOf(this.migrations), batch, named);
      const useful = Math.max(1, Math.min(workers, Math.ceil(this.#total / batch)));
      await allOf(
        Array.from({ length: useful }, () => this.owner.use((client) => this.#work(client, claims))),
      );
      const left = await this.#left(named);
      if (left.length === 0) return;
      idle = left.length < known ? 0 : idle + 1;
      const pause = BACKOFF_MS[idle];
      if (pause === undefined) {
        for (const { schema, version } of left) this.#fail(schema, this.#since(version)[0], BUSY);
        return;
      }
      known = left.length;
      batch = 1;
      // Spread, so that two migrators that wait for each other do not meet again.
      await sleep(pause * (0.5 + Math.random()));
    }
  }

  async #left(named: readonly string[] | undefined): Promise<Claimed[]> {
    return this.owner.use(async (client) => {
      const { rows } = await client.query<{ schema: string; version: string }>(
        `SELECT schema, version FROM migrations.schemas
         WHERE version < $1 AND schema <> ALL ($2) AND ($3::text[] IS NULL OR schema = ANY ($3))`,
        [latestOf(this.migrations), [...this.#failed.keys()], named ?? null],
      );
      return rows.map(({ schema, version }) => ({ schema, version: Number(version) }));
    });
  }

  /** Batch after batch. The next is claimed in the message that commits the one before: a round trip for each. */
  async #work(client: pg.PoolClient, claims: Claims): Promise<void> {
    let claimed = await this.#begin(client, claims, []);
    while (claimed) {
      const work = claimed.map((one) => ({ schema: one.schema, migrations: this.#since(one.version) }));
      try {
        claimed = await this.#begin(client, claims, [...(work.length > 0 ? applied(work) : []), 'COMMIT']);
        this.#migrated += work.length;
      } catch (error) {
        await client.query('ROLLBACK');
        claims.leave(work);
        if (work.length === 1 && work[0]?.migrations.length === 1) this.#judge(work[0], error);
        else for (const { schema } of work) await this.#one(client, schema);
        claimed = await this.#begin(client, claims, []);
      }
      this.#tell();
    }
    await client.query('ROLLBACK');
  }

  /** Ends with a transaction begun and schemas claimed in it; undefined when there are none left. */
  async #begin(
    client: pg.PoolClient,
    claims: Claims,
    before: readonly string[],
  ): Promise<Claimed[] | undefined> {
    const timeout = claims.batch === 1 ? LOCK_TIMEOUT : LOCK_TIMEOUT_IN_BATCH;
    const results = await sendTogether(client, [
      ...before,
      'BEGIN',
      `SET LOCAL lock_timeout = '${timeout}'`,
      claims.next([...this.#failed.keys()]),
    ]);
    return claims.taken(results.at(-1)?.rows as ClaimRow[]);
  }

  /** One schema, a migration at a time, so that what fails has a name. */
  async #one(client: pg.PoolClient, schema: string): Promise<void> {
    for (;;) {
      const claims = new Claims(latestOf(this.migrations), 1, [schema]);
      const [claimed] = (await this.#begin(client, claims, [])) ?? [];
      const migrations = claimed ? this.#since(claimed.version).slice(0, 1) : [];
      if (migrations.length === 0) return void (await client.query('ROLLBACK'));
      try {
        await sendTogether(client, [...applied([{ schema, migrations }]), 'COMMIT']);
        if (latestOf(migrations) === latestOf(this.migrations)) this.#migrated += 1;
      } catch (error) {
        await client.query('ROLLBACK');
        return this.#judge({ schema, migrations }, error);
      }
    }
  }

  #judge({ schema, migrations }: Work, error: unknown): void {
    const { code, message } = error as { code?: string; message: string };
    if (code !== undefined && PASSING.has(code)) return;
    // A lost connection says nothing of the tenant.
    if (code === undefined || /^(08|57P)/.test(code)) throw error;
    // Of class 22 the message quotes what it could not convert: a row's content.
    const reason = code.startsWith('22') ? 'a row does not fit' : message;
    this.#fail(schema, migrations[0], `${reason} (SQLSTATE ${code})`);
  }

  #fail(schema: string, migration: CompiledMigration | undefined, reason: string): void {
    this.#failed.set(schema, { schema, migration: migration?.name ?? '', reason });
    this.#tell();
  }

  #since(version: number): CompiledMigration[] {
    return this.migrations.filter((migration) => migration.version > version);
  }

  #tell(): void {
    const failed = this.#failed.size;
    const total = Math.max(this.#total, this.#migrated + failed);
    this.options.onProgress?.({ done: this.#migrated, failed, total });
  }
}

interface Work {
  readonly schema: string;
  readonly migrations: readonly CompiledMigration[];
}

function applied(work: readonly Work[]): string[] {
  return [
    ...work.flatMap(({ schema, migrations }) => inSchema(schema, migrations)),
    'SET LOCAL search_path = DEFAULT',
    ...noteApplied(work),
    announcement({ kind: 'schemas', tenant: '*', id: '*' }),
  ];
}

interface ClaimRow {
  readonly schema: string;
  readonly version: string;
  readonly free: boolean;
}

/** What one round may still take. */
class Claims {
  /** Did not work in this round; the next tries them again. */
  readonly #left = new Set<string>();

  constructor(
    private readonly latest: number,
    readonly batch: number,
    private readonly named: readonly string[] | undefined,
  ) {}

  /**
   * The statement that takes the next schemas that are behind and that nobody else has: another migrator has locked the
   * row, whoever creates or drops the tenant holds its advisory lock. The row has the version, so that one that was
   * migrated a moment ago is seen to be, whatever the statement's snapshot.
   */
  next(failed: readonly string[]): string {
    const list = (schemas: readonly string[]): string => `'{${schemas.join(',')}}'::text[]`;
    return `WITH claimed AS MATERIALIZED (
        SELECT schema, version FROM migrations.schemas
        WHERE version < ${this.latest} AND schema <> ALL (${list([...failed, ...this.#left])})
          ${this.named ? `AND schema = ANY (${list(this.named)})` : ''}
        ORDER BY schema LIMIT ${this.batch} FOR UPDATE SKIP LOCKED)
      SELECT schema, version, pg_try_advisory_xact_lock(${TENANT_LOCKS}, hashtext(schema)) AS free FROM claimed`;
  }

  /** Those of the statement's rows that are free; undefined when it found none at all. */
  taken(rows: readonly ClaimRow[]): Claimed[] | undefined {
    if (rows.length === 0) return undefined;
    this.leave(rows.filter(({ free }) => !free));
    return rows
      .filter(({ free }) => free)
      .map(({ schema, version }) => ({ schema, version: Number(version) }));
  }

  leave(schemas: readonly { readonly schema: string }[]): void {
    for (const { schema } of schemas) this.#left.add(schema);
  }
}

/** Waits for all, also where one fails: nothing is left at work behind the caller's back. */
async function allOf(work: readonly Promise<void>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(work))
    if (outcome.status === 'rejected') throw outcome.reason;
}
