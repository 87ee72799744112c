import { leafHash, openCheckpoint, verifyConsistency, verifyInclusion } from '@waxell/transparency';
import { describe, expect, it } from 'vitest';
import { MoveLog } from '../../src/audit/move-log.js';
import { appendEvents, endPeriod, logKeeping, VERIFIER } from '../support/cold-logs.js';
import { MemoryObjects } from '../support/memory-objects.js';
import { openTestCells } from '../support/test-cells.js';

describe('a cold log that moves to another cell', () => {
  it('goes on there as one: objects with their locks, proofs of any event; locked copies stay behind until their day', async () => {
    const test = await openTestCells();
    try {
      const [here, there] = [new MemoryObjects(), new MemoryObjects()];
      const stores = new Map([
        ['source', here],
        ['target', there],
      ]);
      const both = logKeeping(test, stores);
      const [mover, neighbour] = [await test.newMover(), await test.newMover()];
      for (const tenant of [mover.here, neighbour.here]) await appendEvents(both.log, tenant, 300);
      await endPeriod({ cells: test.cells, superuser: test.source.superuser }, 91);
      await appendEvents(both.log, mover.here, 20);
      for (const tenant of [mover.here, neighbour.here]) await both.prove.current(tenant);
      expect(await both.round()).toEqual([1]);
      const whole = await both.exported(mover.here);
      const kept = await both.prove.current(mover.here);
      const moving = new MoveLog(both.log);
      const { signal } = new AbortController();
      await test.sessions(mover.here, async (sessions) => {
        expect(await moving.copy(sessions, mover.here.id)).toEqual({ events: 320, complete: true });
        await both.moveObjects.copy(mover.here, mover.there, signal);
        const head = await moving.close(sessions.source, mover.here.id);
        expect(await moving.finish(sessions, mover.here, head)).toBe(320);
        await moving.remove(sessions.source, mover.here.id);
      });
      const [key = ''] = await there.list(`tenants/${mover.here.id}/audit/cold/`, { limit: 9 });
      expect(await there.locks.of(key)).toEqual(await here.locks.of(key));
      expect(await both.verify.execute(mover.there)).toMatchObject({ valid: true, checked: 320 });
      expect((await both.exported(mover.there)).slice(0, -1)).toEqual(whole.slice(0, -1));
      await appendEvents(both.log, mover.there, 300);
      const { size, root } = await both.prove.current(mover.there);
      const proof = await both.prove.consistency(mover.there, kept.size, size);
      verifyConsistency(kept, { size, root }, proof.hashes);
      for (const seq of [1, 256, 257, 300, 301, 620]) {
        const { leafHash: leaf, hashes } = await both.prove.inclusion(mover.there, seq, size);
        verifyInclusion(leaf, seq - 1, size, hashes, root);
      }
      // What was published before is proven where it was: also once it is no longer kept here.
      for (const old of [false, true]) {
        if (old) {
          await test.target.superuser.query(
            `UPDATE audit.checkpoints SET at = now() - interval '8 days' WHERE size = 320`,
          );
          await appendEvents(both.log, mover.there, 1);
          await both.prove.current(mover.there);
        }
        const { root, index, hashes, leafHash: leaf } = await both.prove.publication(mover.there, 320);
        expect(leaf).toEqual(leafHash(Buffer.from(kept.note)));
        const published = openCheckpoint(root.note, [VERIFIER]);
        verifyInclusion(leaf, index, published.size, hashes, published.root);
      }
      await both.moveObjects.remove(mover.here);
      expect(await here.list(`tenants/${mover.here.id}/`, { limit: 9 })).toEqual([key]);
      const { rows } = await test.source.superuser.query(
        'SELECT key, retain_until FROM work.retained_objects',
      );
      expect(rows).toEqual([{ key, retain_until: (await here.locks.of(key)).retainUntil }]);
      expect(await both.retained.sweep('source')).toBe(0);
      here.unlock(key);
      await test.source.superuser.query('UPDATE work.retained_objects SET retain_until = now()');
      expect(await both.retained.sweep('source')).toBe(1);
      expect(await here.get(key)).toBeNull();
      expect(await both.verify.execute(neighbour.here)).toMatchObject({ valid: true, checked: 300 });
    } finally {
      await test.close();
    }
  });
});
