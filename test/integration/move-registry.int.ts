import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { EventRecorder } from '../../src/audit/index.js';
import { MoveRegistry, MoveSuperseded } from '../../src/moves/move-registry.js';
import { NO_PROGRESS, type Move } from '../../src/moves/move.js';
import type { RegistryTransaction } from '../../src/platform/database/index.js';
import { RegistryTransactions } from '../../src/platform/database/registry-transactions.js';
import { RegistryWork } from '../../src/requests/registry-work.js';
import { TenantRegistry } from '../../src/tenancy/tenant-registry.js';
import { openTestCells, type TestCells } from '../support/test-cells.js';

let test: TestCells;
let registry: MoveRegistry;
const told: string[] = [];

beforeAll(async () => {
  test = await openTestCells();
  const events = {
    recordInRegistry: (_registry: RegistryTransaction, { action }: { action: string }) => {
      told.push(action);
      return Promise.resolve();
    },
    committed: () => undefined,
  } as unknown as EventRecorder;
  const feed = { subscribe: () => () => undefined, reliable: () => false } as never;
  registry = new MoveRegistry(
    new RegistryWork(new RegistryTransactions(test.cells), events, test.cells),
    new TenantRegistry(test.cells, feed, undefined as never),
    test.cells,
  );
});
afterAll(() => test.close());

/** A move that has been begun, as the registry has it. */
async function begun(): Promise<Move> {
  const { here, there } = await test.newMover();
  const id = randomUUID();
  await test.source.superuser.query(
    `INSERT INTO control.tenants (id, slug, name, region, cell, status, move_id, moving_to)
     VALUES ($1, $2, 'x', $3, 'source', 'active', $4, 'target')`,
    [here.id, `mover-${here.id.slice(2)}`, here.region, id],
  );
  const data = { from: 'source', to: 'target', pauseSeconds: 1, keepSeconds: 1, progress: NO_PROGRESS };
  return { id, data, source: here, target: there };
}

const set = (move: Move, what: string): Promise<unknown> =>
  test.source.superuser.query(`UPDATE control.tenants SET ${what} WHERE id = $1`, [move.source.id]);

it('cuts over under the pause that was begun for it, once, with its event', async () => {
  const [move, other] = [await begun(), await begun()];
  const pause = randomUUID();
  await registry.pause(move, pause);
  await registry.cutOver(move, pause);
  expect(await registry.isCutOver(move)).toBe(true);
  expect(told).toEqual(['tenant.moved']);
  await expect(registry.cutOver(move, pause)).rejects.toThrow(MoveSuperseded);
  expect(await registry.endPause(move)).toBe(false);
  expect(await registry.state(move)).toBe('over');
  expect(await registry.isCutOver(other)).toBe(false);
  expect(await registry.state(other)).toBe('wanted');
});

it.each<[string, (move: Move) => Promise<unknown>]>([
  ['whose pause has ended', (move) => registry.endPause(move)],
  [
    'that another process has paused anew',
    async (move) => {
      await registry.endPause(move);
      await registry.pause(move, randomUUID());
    },
  ],
  ['that was cancelled', (move) => set(move, 'move_cancelled = true')],
  ['of an organisation in another state', (move) => set(move, `status = 'creating'`)],
  ['of another operation by now', (move) => set(move, 'move_id = gen_random_uuid()')],
])('refuses to cut over a move %s', async (_what, happened) => {
  const move = await begun();
  const pause = randomUUID();
  await registry.pause(move, pause);
  await happened(move);
  await expect(registry.cutOver(move, pause)).rejects.toThrow(MoveSuperseded);
  expect(await registry.isCutOver(move)).toBe(false);
});

it('begins no second pause, and none of a move that was cancelled', async () => {
  const move = await begun();
  await registry.pause(move, randomUUID());
  await expect(registry.pause(move, randomUUID())).rejects.toThrow(MoveSuperseded);
  await registry.endPause(move);
  await set(move, 'move_cancelled = true');
  await expect(registry.pause(move, randomUUID())).rejects.toThrow(MoveSuperseded);
});

it('tells of the end of a move that was not made, once', async () => {
  const move = await begun();
  told.length = 0;
  await registry.abandon(move, 'FAILED');
  await registry.abandon(move, 'FAILED');
  expect(told).toEqual(['tenant.move_undone']);
  expect(await registry.state(move)).toBe('over');
});
