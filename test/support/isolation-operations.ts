import type { TenantRef } from '../../src/platform/database/index.js';
import type { TenantId } from '../../src/platform/database/tenant-id.js';
import { Canary, FAILURES, INJECTIONS, rowId, waysToRows, type Rows, type Way } from './isolation-ways.js';
import { oneAtATime } from './one-at-a-time.js';
import type { TestDatabase } from './test-database.js';

/** What one operation does; drawn before it runs, so that a repetition does the same. */
export interface Draw {
  readonly tenant: TenantRef;
  readonly other: TenantRef;
  readonly way: number;
  readonly circumstance: number;
  readonly at: number;
}

/** A row of another tenant, or read under another role. */
export class IsolationBroken extends Error {
  override readonly name = 'IsolationBroken';
}

type Circumstance = (draw: Draw, way: Way) => Promise<void>;

/** How often each is drawn. Those that keep a connection waiting are rare, and still many. */
const WEIGHTS: Record<string, number> = {
  plain: 3_000,
  commit: 120,
  rollback: 60,
  failure: 150,
  failureInTransaction: 60,
  nested: 80,
  nestedInTransaction: 12,
  savepoint: 40,
  save: 60,
  outbox: 60,
  injectedValue: 120,
  injectedText: 80,
  injectedName: 60,
  injectedTenant: 40,
  injectedRowId: 40,
  cancelled: 4,
  killed: 1,
  killedLane: 1,
  timedOut: 0.4,
  timedOutLane: 0.4,
};

export class IsolationOperations {
  readonly kinds: readonly string[];
  readonly ways: readonly [string, Way][];
  readonly #circumstances: Record<string, Circumstance>;
  readonly #totalWeight: number;
  /** Events put into the outbox, by commits that were answered. */
  committedEvents = 0;

  constructor(private readonly db: TestDatabase) {
    this.ways = Object.entries(waysToRows(db));
    this.#circumstances = {
      ...this.#reads(),
      ...this.#writes(),
      ...this.#injections(),
      ...this.#interruptions(),
    };
    this.kinds = Object.keys(WEIGHTS);
    this.#totalWeight = Object.values(WEIGHTS).reduce((sum, weight) => sum + weight, 0);
  }

  /** @param random in [0, 1) */
  circumstanceAt(random: number): number {
    let left = random * this.#totalWeight;
    return Math.max(
      0,
      Object.values(WEIGHTS).findIndex((weight) => (left -= weight) < 0),
    );
  }

  async run(draw: Draw): Promise<void> {
    const kind = this.kinds[draw.circumstance] ?? 'plain';
    const way = this.ways[draw.way]?.[1];
    const circumstance = this.#circumstances[kind];
    if (!way || !circumstance) throw new Error(`No such operation: ${kind}`);
    await this.db.database.within(draw.tenant, () => circumstance(draw, way));
  }

  describe({ tenant, other, way, circumstance, at }: Draw): string {
    return `${this.kinds[circumstance]} by ${this.ways[way]?.[0]} row ${at} as ${tenant.id} beside ${other.id}`;
  }

  #reads(): Record<string, Circumstance> {
    const { database, transactions } = this.db;
    return {
      plain: ({ tenant, at }, way) => expectOwn(tenant, way(at)),
      failure: async (draw, way) => {
        await this.#failing(draw);
        await expectOwn(draw.tenant, way(draw.at));
      },
      nested: async ({ tenant, other, at }, way) => {
        await Promise.all([
          expectOwn(tenant, way(at)),
          database.within(other, () => expectOwn(other, way(at))),
        ]);
        await expectOwn(tenant, way(at));
      },
      // One at a time: each holds a connection while it waits for a second.
      nestedInTransaction: ({ tenant, other, at }, way) =>
        this.#turns(() =>
          transactions.run(async () => {
            await expectOwn(tenant, way(at));
            const { manager } = database;
            await fails(/another tenant is in scope/, () =>
              database.within(other, () => manager.query('SELECT 1')),
            );
            await database.within(other, () => expectOwn(other, way(at)));
            await expectOwn(tenant, way(at));
          }),
        ),
    };
  }
  readonly #turns = oneAtATime();

  #writes(): Record<string, Circumstance> {
    const { database, transactions } = this.db;
    const write = ({ tenant, at }: Draw) =>
      database.execute({
        text: 'UPDATE projects SET description = $1, version = version + 1 WHERE id = $2 RETURNING name, description, current_user AS role',
        values: [tenant.id, rowId(at)],
      });
    return {
      commit: (draw, way) =>
        transactions.run(async () => {
          await expectOwn(draw.tenant, way(draw.at));
          const { rows } = await write(draw);
          await expectOwn(draw.tenant, Promise.resolve({ rows: rows as unknown as Rows, expected: 1 }));
          await expectOwn(draw.tenant, way(draw.at));
        }),
      rollback: async (draw, way) => {
        await fails(/changed my mind/, () =>
          transactions.run(async () => {
            await write(draw);
            await database.execute({
              text: `UPDATE projects SET name = 'gone' WHERE id = $1`,
              values: [rowId(draw.at)],
            });
            throw new Error('changed my mind');
          }),
        );
        await expectOwn(draw.tenant, way(draw.at));
      },
      failureInTransaction: async (draw, way) => {
        await fails(/in the failed transaction/, () =>
          transactions.run(async () => {
            await write(draw);
            await fails(/division by zero/, () => database.query({ text: 'SELECT 1/0', values: [] }));
            await fails(/transaction is aborted/, () => way(draw.at));
            throw new Error('in the failed transaction');
          }),
        );
        await expectOwn(draw.tenant, way(draw.at));
      },
      savepoint: (draw, way) =>
        transactions.run(async () => {
          await fails(/division by zero/, () =>
            database.manager.transaction(async (inner) => {
              await inner.query(`UPDATE projects SET name = 'gone' WHERE id = $1`, [rowId(draw.at)]);
              await inner.query('SELECT 1/0');
            }),
          );
          await expectOwn(draw.tenant, way(draw.at));
        }),
      save: ({ tenant, at }, way) =>
        transactions.run(async () => {
          const repository = database.repository(Canary);
          const row = await repository.findOneByOrFail({ id: rowId(at) });
          await repository.save({ ...row, description: tenant.id });
          await expectOwn(tenant, way(at));
        }),
      outbox: async ({ tenant, at }, way) => {
        await transactions.run(async () => {
          const values = [Buffer.from(tenant.id)];
          await database.query({
            name: 'outbox',
            text: 'INSERT INTO audit.outbox (event) VALUES ($1)',
            values,
          });
          await expectOwn(tenant, way(at));
        });
        this.committedEvents += 1;
      },
    };
  }

  #injections(): Record<string, Circumstance> {
    const { database, transactions } = this.db;
    const injected = ({ at, other }: Draw): string =>
      (INJECTIONS[at % INJECTIONS.length] ?? '').replaceAll('OTHER', other.id);
    return {
      injectedValue: async (draw, way) => {
        const values = [injected(draw)];
        const text = 'SELECT name FROM projects WHERE description = $1 AND name <> current_user';
        const found = await database.query({ ...(draw.at % 2 ? { name: 'injected' } : {}), text, values });
        if (found.length > 0) throw new IsolationBroken(`A value found rows: ${JSON.stringify(found)}`);
        await expectOwn(draw.tenant, way(draw.at));
      },
      // Somebody built SQL from text: it reaches nothing of a neighbour, in a transaction or outside.
      injectedText: async (draw, way) => {
        const text = `SELECT id, name, description, current_user AS role FROM projects WHERE name = '${injected(draw)}'`;
        const read = () => database.query<{ name: string }>({ text, values: [] });
        const rows = await (draw.at % 2 ? transactions.run(read) : read()).catch(rethrowLost(() => []));
        for (const row of rows)
          if (row.name !== draw.tenant.id)
            throw new IsolationBroken(`Built text read ${JSON.stringify(row)}`);
        await expectOwn(draw.tenant, way(draw.at));
      },
      injectedName: async (draw, way) => {
        const text = 'SELECT name, description, current_user AS role FROM projects WHERE id = $1';
        const values = [rowId(draw.at)];
        for (const name of [`canary ${injected(draw)}`, `canary\0${injected(draw)}`])
          await fails(/A statement is named by/, () => database.query({ name, text, values }));
        await fails(/NUL/, () => database.query({ text: `${text}\0${injected(draw)}`, values }));
        await expectOwn(draw.tenant, way(draw.at));
      },
      injectedTenant: async (draw, way) => {
        const wrong = { ...draw.tenant, id: `${injected(draw)} ` as TenantId };
        await fails(/Not a tenant id/, async () => database.within(wrong, () => way(draw.at)));
        await expectOwn(draw.tenant, way(draw.at));
      },
      injectedRowId: async (draw, way) => {
        await fails(/invalid input syntax for type uuid/, () =>
          database.repository(Canary).findOneBy({ id: injected(draw) }),
        );
        await expectOwn(draw.tenant, way(draw.at));
      },
    };
  }

  #interruptions(): Record<string, Circumstance> {
    const { database, transactions, superuser } = this.db;
    const pid = async (name?: string): Promise<number> => {
      const text = 'SELECT pg_backend_pid() AS pid';
      const [row] = await database.query<{ pid: number }>({
        ...(name !== undefined && { name }),
        text,
        values: [],
      });
      return row?.pid ?? 0;
    };
    const sleep = (name?: string) =>
      database.query({ ...(name !== undefined && { name }), text: 'SELECT pg_sleep(10)', values: [] });
    const interrupted = async (how: 'pg_cancel_backend' | 'pg_terminate_backend'): Promise<void> => {
      const backend = await pid();
      const interrupting = superuser.query(`SELECT pg_sleep(0.01), ${how}($1)`, [backend]);
      await Promise.all([sleep(), interrupting]);
    };
    const cut = /canceling statement|terminat|closed|crash|timeout/i;
    return {
      cancelled: async ({ tenant, at }, way) => {
        await fails(cut, () => transactions.run(() => interrupted('pg_cancel_backend')));
        await expectOwn(tenant, way(at));
      },
      killed: async ({ tenant, at }, way) => {
        await fails(cut, () => transactions.run(() => interrupted('pg_terminate_backend')));
        await expectOwn(tenant, way(at));
      },
      // Whatever many tenants wait for on the one connection fails with it, and must not be answered by another's rows.
      killedLane: async ({ tenant, at }, way) => {
        const backend = await pid('pid');
        const reads = Array.from({ length: 20 }, (_, more) => expectOwn(tenant, way(at + more)));
        const killing = superuser.query('SELECT pg_terminate_backend($1)', [backend]);
        const [settled] = await Promise.all([Promise.allSettled(reads), killing]);
        for (const read of settled)
          if (read.status === 'rejected' && !isInterruption(read.reason)) throw read.reason;
      },
      timedOut: async ({ tenant, at }, way) => {
        await fails(cut, () => sleep());
        await expectOwn(tenant, way(at));
      },
      timedOutLane: async ({ tenant, at }, way) => {
        await fails(cut, () => sleep('sleep'));
        await expectOwn(tenant, way(at));
      },
    };
  }

  async #failing({ at, other }: Draw): Promise<void> {
    const failure = FAILURES[at % FAILURES.length];
    if (!failure) return;
    const text = failure.text.replaceAll('OTHER', other.id);
    const name = at % 2 ? { name: `failing_${at % FAILURES.length}_${other.id}` } : {};
    await fails(failure.as, () => this.db.database.query({ ...name, text, values: failure.values }));
  }
}

async function expectOwn({ id }: TenantRef, found: Promise<{ rows: Rows; expected: number }>): Promise<void> {
  const { rows, expected } = await found;
  if (rows.length === 0 || rows.length !== expected)
    throw new IsolationBroken(`${id} found ${rows.length} rows instead of ${expected}.`);
  for (const { name, role, description } of rows) {
    if (name !== id || role !== id || (description !== '' && description !== id))
      throw new IsolationBroken(`${id} read ${JSON.stringify({ name, role, description })}.`);
  }
}

/** Requires a failure of this kind. One that another operation's interruption caused is passed on, and repeated. */
async function fails(as: RegExp, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (as.test(message) && !(error instanceof IsolationBroken)) return;
    throw error;
  }
  throw new IsolationBroken(`What should have failed with ${String(as)} did not.`);
}

/** Whether an operation fell victim to another's cancelled, killed or timed-out statement: then it is repeated. */
export function isInterruption(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof IsolationBroken) return false;
  const { code } = error as { code?: string };
  return (
    code === '57014' ||
    code === '57P01' ||
    /Connection terminated|not queryable|server conn crashed|server connection closed|ECONNRESET|query_wait_timeout|already released|EPIPE|Query read timeout/.test(
      error.message,
    )
  );
}

function rethrowLost<T>(otherwise: () => T): (error: unknown) => T {
  return (error) => {
    if (isInterruption(error) || error instanceof IsolationBroken) throw error;
    return otherwise();
  };
}
