import { setTimeout as sleep } from 'node:timers/promises';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { KeysUnreadable, PublishedKeys, type KeySet } from './published-keys.js';

const SECOND = 1_000;
const NAME = 'https://issuer.example';
const keyOf = async (kid: string): Promise<JWK> => ({
  ...(await exportJWK((await generateKeyPair('ES256')).publicKey)),
  kid,
});

describe('published keys', () => {
  let asked: string[];
  let published: JWK[] | Error;
  let keys: PublishedKeys;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date'] });
    // By this the cache tells the time.
    vi.spyOn(performance, 'now').mockImplementation(() => Date.now());
    asked = [];
    keys = new PublishedKeys(async (name): Promise<KeySet> => {
      asked.push(name);
      if (published instanceof Error) throw published;
      return Promise.resolve({ set: { keys: published }, size: 100 });
    });
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.restoreAllMocks();
  });

  const find = (kid: string, name = NAME): Promise<string> =>
    keys.find(name, { alg: 'ES256', kid }).then(
      () => 'found',
      (error: Error) => error.name,
    );
  const wait = async (milliseconds: number): Promise<void> => {
    vi.setSystemTime(Date.now() + milliseconds);
    // It looks at the time once in a millisecond.
    await sleep(2);
  };

  it('are asked for once, however many want them, and not again while they are kept', async () => {
    published = [await keyOf('one')];
    const found = await Promise.all(Array.from({ length: 20 }, () => find('one')));
    expect(new Set(found)).toEqual(new Set(['found']));
    await wait(599 * SECOND);
    expect(await find('one')).toBe('found');
    expect(asked).toHaveLength(1);
  });

  it('that are not published any more are believed for ten minutes', async () => {
    published = [await keyOf('one')];
    await find('one');
    published = [await keyOf('two')];
    await wait(601 * SECOND);
    expect(await find('one')).toBe('JWKSNoMatchingKey');
    expect(asked).toHaveLength(2);
  });

  it('are asked for at once where one is new, and then every ten seconds at most for names that nobody knows', async () => {
    published = [await keyOf('one')];
    await find('one');
    published = [await keyOf('one'), await keyOf('two')];
    expect(await Promise.all([find('two'), find('two'), find('one')])).toEqual(['found', 'found', 'found']);
    expect(asked).toHaveLength(2);
    for (const _round of [1, 2, 3]) {
      for (const kid of ['a', 'b', 'c', 'd']) expect(await find(kid)).toBe('JWKSNoMatchingKey');
      await wait(10 * SECOND);
    }
    expect(asked).toHaveLength(4);
  });

  it('that cannot be had, or are none, are asked for again after ten seconds', async () => {
    published = new Error('down');
    for (const _time of [1, 2, 3]) expect(await find('one')).toBe(KeysUnreadable.name);
    published = [7] as unknown as JWK[];
    await wait(10 * SECOND);
    for (const _time of [1, 2, 3]) expect(await find('one')).toBe(KeysUnreadable.name);
    expect(asked).toHaveLength(2);
    published = [await keyOf('one')];
    await wait(9 * SECOND);
    expect(await find('one')).toBe(KeysUnreadable.name);
    await wait(SECOND);
    expect(await find('one')).toBe('found');
    expect(asked).toHaveLength(3);
  });

  it('of one name are nobody else’s', async () => {
    published = [await keyOf('one')];
    await find('one');
    published = [await keyOf('two')];
    expect(await find('one', 'https://other.example')).toBe('JWKSNoMatchingKey');
    expect(await find('one')).toBe('found');
  });
});
