import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import {
  ObservedOperations,
  OperationRunner,
  Operations,
  type ObservedOperation,
  type Step,
} from '../../src/operations/index.js';
import { OperationLeases } from '../../src/operations/operation-lease.js';
import { WatchUntaken } from '../../src/operations/watch-untaken.js';
import { WorkerConfig } from '../../src/platform/config/index.js';
import type { TenantId } from '../../src/platform/database/index.js';
import { RegistryTransactions } from '../../src/platform/database/registry-transactions.js';
import { Gauges } from '../../src/platform/observability/gauges.js';
import { Log } from '../../src/platform/observability/log.js';
import { eventually } from '../support/eventually.js';
import { openTestDatabase, type TestDatabase } from '../support/test-database.js';

const NEWER = 'of a newer version';
const MINUTE_MS = 60_000;
let db: TestDatabase;
let program: Program;

beforeAll(async () => {
  db = await openTestDatabase();
});
beforeEach(() => {
  program = new Program({ first: () => Promise.resolve({ next: NEWER }) });
});
afterEach(async () => {
  await program.stop();
  await db.superuser.query('DELETE FROM control.operations');
});
afterAll(() => db.close());

class Lines extends Log {
  readonly warned: (readonly [string, Readonly<Record<string, unknown>>])[] = [];
  override warn(message: string, details: Readonly<Record<string, unknown>>): void {
    this.warned.push([message, details]);
  }
}

/** A program that has these steps, as its processes are. */
class Program {
  readonly log = new Lines('silent');
  readonly #leases = new OperationLeases(db.cells);
  readonly runner = new OperationRunner(this.#leases, new WorkerConfig(1, false), this.log);
  readonly observed = new ObservedOperations(new Operations(db.cells), this.runner);
  readonly gauges = new Gauges(this.log);
  readonly watch = new WatchUntaken(this.#leases, this.runner, this.gauges, this.log);

  constructor(steps: Readonly<Record<string, Step>>) {
    this.runner.register('test', steps);
    this.watch.onApplicationBootstrap();
  }

  async stop(): Promise<void> {
    await Promise.all([this.runner.beforeApplicationShutdown(), this.watch.beforeApplicationShutdown()]);
  }

  /** The line of the gauge, with a registry of its own: what is read is kept for five seconds. */
  async gauge(): Promise<string | undefined> {
    const gauges = new Gauges(this.log);
    const watch = new WatchUntaken(this.#leases, this.runner, gauges, this.log);
    watch.onApplicationBootstrap();
    await watch.beforeApplicationShutdown();
    const { text } = await gauges.read();
    return text.split('\n').find((line) => line.startsWith('waxell_operations_untaken'));
  }
}

interface Begun {
  readonly id: string;
  readonly tenant: TenantId;
  readonly look: () => Promise<ObservedOperation | undefined>;
}

async function begin(step: string, dueAgo: string): Promise<Begun> {
  const { id: tenant } = await db.newTenant();
  const transactions = new RegistryTransactions(db.cells);
  const operations = new Operations(db.cells);
  const id = await transactions.run((registry) => operations.start(registry, { kind: 'test', tenant, step }));
  await db.superuser.query(`UPDATE control.operations SET due_at = now() - $2::interval WHERE id = $1`, [
    id,
    dueAgo,
  ]);
  return { id, tenant, look: () => program.observed.byId(tenant, id) };
}

it('that wait for a program which nobody runs are told of once, then each half hour, until one takes them up', async () => {
  const [longest, beside] = [await begin(NEWER, '9 minutes'), await begin(NEWER, '6 minutes')];
  const start = Date.now();
  await program.watch.look(start);
  expect(program.log.warned).toHaveLength(1);
  const [[message, details] = ['', {}]] = program.log.warned;
  expect(message).toContain('start a process of the version that has it');
  expect(details).toMatchObject({
    kind: 'test',
    step: NEWER,
    operations: 2,
    tenant: longest.tenant,
    operation: longest.id,
  });
  expect(Date.parse(String(details['since']))).toBeLessThan(start - 8 * MINUTE_MS);
  for (const minutes of [1, 10, 29]) await program.watch.look(start + minutes * MINUTE_MS);
  expect(program.log.warned).toHaveLength(1);
  await program.watch.look(start + 30 * MINUTE_MS);
  await program.watch.look(start + 31 * MINUTE_MS);
  expect(program.log.warned).toHaveLength(2);
  expect(await program.gauge()).toBe('waxell_operations_untaken 2');
  const newer = new Program({ [NEWER]: () => Promise.resolve('done') });
  expect(await newer.gauge()).toBe('waxell_operations_untaken 0');
  await newer.runner.onApplicationBootstrap();
  await eventually(async () => {
    for (const { look } of [longest, beside]) expect((await look())?.status).toBe('done');
  }, 10_000);
  await newer.stop();
  expect(await program.gauge()).toBe('waxell_operations_untaken 0');
  await program.watch.look(start + 90 * MINUTE_MS);
  expect(program.log.warned).toHaveLength(2);
  // It comes back, and is told of at once.
  await begin(NEWER, '6 minutes');
  await program.watch.look(start + 91 * MINUTE_MS);
  expect(program.log.warned).toHaveLength(3);
});

it('say in words what they wait for', async () => {
  const [late, soon] = [await begin(NEWER, '6 minutes'), await begin(NEWER, '1 minute')];
  const { waitsFor } = { ...(await late.look()) };
  expect(waitsFor).toMatch(/^A program that has the step "of a newer version" of test, /);
  expect(waitsFor).toMatch(/None has taken it up since 20.*: start a process of the version that has it\.$/);
  expect((await soon.look())?.waitsFor).toBe(
    'A program that has the step "of a newer version" of test, which this one has not.',
  );
  const [listed] = await program.observed.ofTenant(late.tenant, 10);
  expect(listed?.waitsFor).toBe(waitsFor);
});

it('are none that this program has, that somebody works on, that are not due for long, or over', async () => {
  const known = await begin('first', '10 minutes');
  const held = await begin(NEWER, '10 minutes');
  const later = await begin(NEWER, '-10 minutes');
  const over = await begin(NEWER, '10 minutes');
  const justDue = await begin(NEWER, '4 minutes');
  const set = (text: string, { id }: Begun) =>
    db.superuser.query(`UPDATE control.operations SET ${text} WHERE id = $1`, [id]);
  await set(`lease_id = id, lease_until = now() + interval '30 seconds'`, held);
  await set(`status = 'done', finished_at = now()`, over);
  await program.watch.look();
  expect(program.log.warned).toEqual([]);
  expect(await program.gauge()).toBe('waxell_operations_untaken 0');
  for (const { look } of [known, held, later, over]) expect((await look())?.waitsFor).toBeUndefined();
  expect((await justDue.look())?.waitsFor).toBeDefined();
  // Whoever held it is gone.
  await set(`lease_until = now() - interval '1 second'`, held);
  await program.watch.look();
  expect(program.log.warned.map(([, { operation, operations }]) => [operation, operations])).toEqual([
    [held.id, 1],
  ]);
});

it('are looked for each minute, without anybody asking', async () => {
  await begin(NEWER, '6 minutes');
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const other = new Program({});
  vi.advanceTimersByTime(MINUTE_MS);
  vi.useRealTimers();
  await eventually(async () => expect(await Promise.resolve(other.log.warned)).toHaveLength(1), 5_000);
  await other.stop();
});
