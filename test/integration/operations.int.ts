import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeAll, afterAll, describe, expect, it } from 'vitest';
import { OperationFailed, OperationRunner, Operations, type Step } from '../../src/operations/index.js';
import { OperationLeases } from '../../src/operations/operation-lease.js';
import { WorkerConfig } from '../../src/platform/config/index.js';
import { RegistryTransactions } from '../../src/platform/database/registry-transactions.js';
import { Log } from '../../src/platform/observability/log.js';
import { openTestDatabase, type TestDatabase } from '../support/test-database.js';
import { eventually } from '../support/eventually.js';

const WAIT_MS = 10_000;

describe('operations', () => {
  let db: TestDatabase;
  const runners: OperationRunner[] = [];
  beforeAll(async () => {
    db = await openTestDatabase();
  });
  afterEach(async () => {
    await Promise.all(runners.splice(0).map((runner) => runner.beforeApplicationShutdown()));
    await db.superuser.query('DELETE FROM control.operations');
  });
  afterAll(() => db.close());

  async function runner(steps: Readonly<Record<string, Step>>): Promise<OperationRunner> {
    const made = new OperationRunner(
      new OperationLeases(db.cells),
      new WorkerConfig(1, false),
      new Log('silent'),
    );
    made.register('test', steps);
    await made.onApplicationBootstrap();
    runners.push(made);
    return made;
  }

  async function begin(step = 'first') {
    const { id: tenant } = await db.newTenant();
    const operations = new Operations(db.cells);
    const transactions = new RegistryTransactions(db.cells);
    const start = () =>
      transactions.run((registry) =>
        operations.start(registry, { kind: 'test', tenant, step, data: { at: 0 } }),
      );
    const id = await start();
    return { id, tenant, operations, start, look: () => operations.byId(tenant, id) };
  }

  it('runs the steps in their order, each with what the one before has kept', async () => {
    const seen: unknown[] = [];
    const a = await begin();
    const b = await begin();
    await runner({
      first: async ({ tenant, data }) => {
        seen.push([tenant, 'first', data]);
        return Promise.resolve({ next: 'second', data: { at: 1 } });
      },
      second: async ({ tenant, data }) => {
        seen.push([tenant, 'second', data]);
        return Promise.resolve('done');
      },
    });
    for (const operation of [a, b]) {
      await eventually(async () => expect((await operation.look())?.status).toBe('done'), WAIT_MS);
      expect(seen.filter((entry) => (entry as [string])[0] === operation.tenant)).toEqual([
        [operation.tenant, 'first', { at: 0 }],
        [operation.tenant, 'second', { at: 1 }],
      ]);
    }
  });

  it('repeats a step that fails, and says why meanwhile', async () => {
    let calls = 0;
    const operation = await begin();
    await runner({
      first: () => (++calls < 2 ? Promise.reject(new Error('not yet')) : Promise.resolve('done')),
    });
    await eventually(async () => expect((await operation.look())?.error).toBe('not yet'), WAIT_MS);
    await eventually(async () => expect((await operation.look())?.status).toBe('done'), WAIT_MS);
    expect(calls).toBe(2);
  });

  it('ends one whose step says that it never will succeed', async () => {
    const operation = await begin();
    await runner({ first: () => Promise.reject(new OperationFailed('There is no room.')) });
    await eventually(async () => expect((await operation.look())?.status).toBe('failed'), WAIT_MS);
    expect((await operation.look())?.error).toBe('There is no room.');
  });

  it('lets no second one of a kind run for a tenant, and gives it to one of many processes', async () => {
    let calls = 0;
    const operation = await begin();
    await expect(operation.start()).rejects.toThrow('is under way');
    const slow = async (): Promise<'done'> => {
      calls += 1;
      await sleep(300);
      return 'done';
    };
    await Promise.all([runner({ first: slow }), runner({ first: slow }), runner({ first: slow })]);
    await eventually(async () => expect((await operation.look())?.status).toBe('done'), WAIT_MS);
    expect(calls).toBe(1);
    await expect(operation.start()).resolves.toBeTypeOf('string');
  });

  it('ends one at a step that may be cancelled, whoever works on it, and none that is further', async () => {
    let [began, went] = [0, 0];
    const first = await begin();
    const transactions = new RegistryTransactions(db.cells);
    const cancelled = ({ tenant, operations }: typeof first) =>
      transactions.run((registry) => operations.cancelAt(registry, tenant, 'test', ['first', 'other']));
    await runner({
      first: async () => {
        began += 1;
        await sleep(300);
        return { next: 'second' };
      },
      second: async () => {
        went += 1;
        await sleep(300);
        return 'done';
      },
    });
    await eventually(async () => expect(await Promise.resolve(began)).toBe(1), WAIT_MS);
    expect(await cancelled(first)).toMatchObject({ id: first.id, step: 'first', data: { at: 0 } });
    const second = await begin();
    await eventually(async () => expect(await Promise.resolve(went)).toBe(1), WAIT_MS);
    expect(await cancelled(second)).toBeUndefined();
    await eventually(async () => expect((await second.look())?.status).toBe('done'), WAIT_MS);
    expect([began, went, await first.look()]).toEqual([2, 1, undefined]);
  });

  it('leaves a step that only another version of the program has to processes of that', async () => {
    const operation = await begin();
    const older = await runner({ first: () => Promise.resolve({ next: 'of a newer version' }) });
    await eventually(async () => expect((await operation.look())?.step).toBe('of a newer version'), WAIT_MS);
    older.nudge();
    await sleep(1_500);
    expect(await operation.look()).toMatchObject({ status: 'running', attempts: 0, error: undefined });
    await runner({ 'of a newer version': () => Promise.resolve('done') });
    await eventually(async () => expect((await operation.look())?.status).toBe('done'), WAIT_MS);
  });

  it('takes up what a process that died has left, and hears no more of that one', async () => {
    const operation = await begin();
    const leases = new OperationLeases(db.cells);
    const dead = await leases.acquire([{ kind: 'test', step: 'first' }]);
    if (!dead) throw new Error('Nothing was due.');
    await db.superuser.query(`UPDATE control.operations SET lease_until = now() - interval '1 second'`);
    let calls = 0;
    await runner({
      first: () => {
        calls += 1;
        return Promise.resolve('done');
      },
    });
    await eventually(async () => expect((await operation.look())?.status).toBe('done'), WAIT_MS);
    await leases.note(dead, { status: 'failed', error: 'from the grave' });
    expect(await operation.look()).toMatchObject({ status: 'done', error: undefined });
    expect(calls).toBe(1);
  });
});
