import { beforeEach, describe, expect, it } from 'vitest';
import type { TenantRef } from '../platform/database/index.js';
import { KeyCache } from './key-cache.js';
import { KEY_TIMES } from './key-times.js';

interface Keys {
  readonly version: number;
}

const [A, B] = ['t_000000000000000a', 't_000000000000000b'].map(
  (id) => ({ id, region: 'eu', cell: 'c1' }) as TenantRef,
) as [TenantRef, TenantRef];
const MINUTE = 60_000;
const fault = (code: string): Error => Object.assign(new Error(code), { code });

let now: number;
let heard: boolean;
/** What the next fetches meet; without an entry they succeed. */
let fate: ((tenant: TenantRef) => Error | undefined) | undefined;
let version: number;
let fetches: string[];
let cache: KeyCache<Keys>;

beforeEach(() => {
  [now, heard, fate, version, fetches] = [0, true, undefined, 1, []];
  cache = new KeyCache<Keys>(
    async (tenant, held, open) => {
      fetches.push(`${tenant.id.at(-1)} ${open ? 'opened' : 'read'}`);
      await Promise.resolve();
      const failed = fate?.(tenant);
      if (!open && held?.version === version) return { keys: held, opened: false };
      if (failed) throw failed;
      return { keys: { version }, opened: true };
    },
    () => KEY_TIMES,
    () => now,
    () => heard,
    () => undefined,
  );
});

const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
};

describe('keys in memory', () => {
  it('are fetched once, however many ask at the same time, for each tenant', async () => {
    await Promise.all(Array.from({ length: 1_000 }, (_, at) => cache.of(at % 2 ? A : B)));
    expect(fetches.toSorted()).toEqual(['a opened', 'b opened']);
  });

  it('are asked for again before they end, while they are used as they are', async () => {
    await cache.of(A);
    now = 44 * MINUTE;
    expect(cache.get(A.id)).toEqual({ version: 1 });
    expect(fetches).toHaveLength(1);
    version = 2;
    now = 46 * MINUTE;
    expect(cache.get(A.id)).toEqual({ version: 1 });
    expect(cache.get(A.id)).toEqual({ version: 1 });
    await settled();
    expect(fetches).toHaveLength(2);
    now = 100 * MINUTE;
    expect(cache.get(A.id)).toEqual({ version: 2 });
  });

  it('that nobody asked for in an hour are not used before the key service was asked', async () => {
    await cache.of(A);
    now = 60 * MINUTE;
    expect(cache.get(A.id)).toBeUndefined();
    await cache.of(A);
    expect(fetches).toEqual(['a opened', 'a opened']);
  });

  it('bridge a key service that is away, for no more than half an hour beyond the hour', async () => {
    await Promise.all([cache.of(A), cache.of(B)]);
    fate = () => fault('unavailable');
    for (now = 44 * MINUTE; now < 90 * MINUTE; now += 10_000) {
      expect(await cache.of(A)).toEqual({ version: 1 });
      await settled();
    }
    await expect(cache.of(A)).rejects.toMatchObject({ code: 'KEYS_UNAVAILABLE', kind: 'unavailable' });
    fate = undefined;
    expect(await cache.of(A)).toEqual({ version: 1 });
  });

  it('ask a key service that is away at most every five seconds', async () => {
    await cache.of(A);
    fate = () => fault('unavailable');
    const before = fetches.length;
    for (now = 50 * MINUTE; now < 51 * MINUTE; now += 100) {
      cache.get(A.id);
      await settled();
    }
    expect(fetches.length - before).toBe(12);
  });

  it.each(['key_disabled', 'key_pending_deletion', 'access_denied', 'key_not_found'])(
    'end at once when the key service answers %s, and nobody else’s do',
    async (code) => {
      await Promise.all([cache.of(A), cache.of(B)]);
      fate = ({ id }) => (id === A.id ? fault(code) : undefined);
      now = 46 * MINUTE;
      expect(cache.get(A.id)).toEqual({ version: 1 });
      expect(cache.get(B.id)).toEqual({ version: 1 });
      await settled();
      expect(cache.get(A.id)).toBeUndefined();
      await expect(cache.of(A)).rejects.toMatchObject({ code: 'KEYS_REFUSED', cause: { code } });
      expect(cache.get(B.id)).toEqual({ version: 1 });
    },
  );

  it('believe a refusal for five seconds, and no longer', async () => {
    await cache.of(A);
    fate = () => fault('key_disabled');
    now = 61 * MINUTE;
    await expect(cache.of(A)).rejects.toMatchObject({ code: 'KEYS_REFUSED' });
    const asked = fetches.length;
    for (let at = 0; at < 100; at += 1)
      await expect(cache.of(A)).rejects.toMatchObject({ code: 'KEYS_REFUSED' });
    expect(fetches).toHaveLength(asked);
    fate = undefined;
    now += 5_001;
    expect(await cache.of(A)).toEqual({ version: 1 });
  });

  it('are read anew when another process has changed them, and used as they are until then', async () => {
    await cache.of(A);
    version = 2;
    cache.changed(A.id);
    expect(cache.get(A.id)).toEqual({ version: 1 });
    await settled();
    expect(cache.get(A.id)).toEqual({ version: 2 });
  });

  it('that change while they are being fetched are fetched once more', async () => {
    const fetching = cache.of(A);
    cache.changed(A.id);
    await fetching;
    await settled();
    expect(fetches).toEqual(['a opened', 'a read']);
  });

  it('are not used unread after changes may have been missed, and cost no call where nothing changed', async () => {
    await Promise.all([cache.of(A), cache.of(B)]);
    cache.doubtAll();
    fate = () => fault('unavailable');
    expect(cache.get(A.id)).toBeUndefined();
    expect(await cache.of(A)).toEqual({ version: 1 });
    expect(fetches.slice(2)).toEqual(['a read']);
  });

  it('are read anew every second while changes are not heard', async () => {
    await cache.of(A);
    heard = false;
    expect(cache.get(A.id)).toEqual({ version: 1 });
    now = 1_000;
    expect(cache.get(A.id)).toBeUndefined();
    await cache.of(A);
    expect(cache.get(A.id)).toEqual({ version: 1 });
  });

  it('stay when the database fails, which is nothing that the key service says', async () => {
    await cache.of(A);
    fate = () => fault('57P01');
    now = 46 * MINUTE;
    cache.get(A.id);
    await settled();
    expect(cache.get(A.id)).toEqual({ version: 1 });
  });

  it('are forgotten when they are too old for any use', async () => {
    await cache.of(A);
    now = 60 * MINUTE;
    await cache.of(B);
    now = 90 * MINUTE;
    cache.sweep();
    fate = () => fault('unavailable');
    await expect(cache.of(A)).rejects.toMatchObject({ code: 'KEYS_UNAVAILABLE' });
    expect(await cache.of(B)).toEqual({ version: 1 });
  });

  it('are held of five thousand tenants, and of no more', async () => {
    const tenant = (at: number): TenantRef => ({
      ...A,
      id: `t_${String(at).padStart(16, '0')}` as TenantRef['id'],
    });
    for (let at = 0; at < 5_001; at += 1) await cache.of(tenant(at));
    expect(cache.get(tenant(0).id)).toBeUndefined();
    expect(cache.get(tenant(1).id)).toBeDefined();
  });
});
