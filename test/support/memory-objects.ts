import type { ObjectStore, PutObjectOptions } from '../../src/platform/objects/index.js';

/** Objects in memory, with locks; `fail` makes the next put fail, as a store that is down does. */
export class MemoryObjects implements ObjectStore {
  readonly stored = new Map<string, Buffer>();
  readonly #locks = new Map<string, { retainUntil: Date | undefined; legalHold: boolean }>();
  fail = 0;
  /** Called before each put: throws where a process is to die there. */
  beforePut: (key: string) => void = () => undefined;

  readonly locks = {
    of: (key: string) =>
      Promise.resolve(this.#locks.get(key) ?? { retainUntil: undefined, legalHold: false }),
    extend: async (key: string, retainUntil: Date) => {
      this.#require(key);
      this.#locks.set(key, { ...(await this.locks.of(key)), retainUntil });
    },
    hold: async (key: string, legalHold: boolean) => {
      this.#require(key);
      this.#locks.set(key, { ...(await this.locks.of(key)), legalHold });
    },
  };

  #require(key: string): void {
    if (!this.stored.has(key)) throw Object.assign(new Error('There is no such key.'), { name: 'NoSuchKey' });
  }

  /** As if the time of its retention were over. */
  unlock(key: string): void {
    const lock = this.#locks.get(key);
    if (lock) this.#locks.set(key, { ...lock, retainUntil: undefined });
  }

  async put(
    key: string,
    body: Buffer,
    { retainUntil, legalHold = false }: PutObjectOptions = {},
  ): Promise<void> {
    this.beforePut(key);
    if (this.fail > 0) {
      this.fail -= 1;
      throw new Error('The store is down.');
    }
    this.stored.set(key, Buffer.from(body));
    if (retainUntil || legalHold) this.#locks.set(key, { retainUntil, legalHold });
  }

  get(key: string): Promise<Buffer | null> {
    return Promise.resolve(this.stored.get(key) ?? null);
  }

  list(prefix: string, { after = '', limit }: { after?: string; limit: number }): Promise<string[]> {
    const keys = [...this.stored.keys()].filter((key) => key.startsWith(prefix) && key > after);
    return Promise.resolve(keys.sort().slice(0, limit));
  }

  size(prefix: string): Promise<number> {
    const sizes = [...this.stored].filter(([key]) => key.startsWith(prefix)).map(([, body]) => body.length);
    return Promise.resolve(sizes.reduce((sum, size) => sum + size, 0));
  }

  async delete(key: string): Promise<void> {
    const lock = await this.locks.of(key);
    if (lock.legalHold || (lock.retainUntil && lock.retainUntil.getTime() > Date.now()))
      throw Object.assign(new Error('Locked.'), { name: 'ObjectLocked', lock });
    this.stored.delete(key);
    this.#locks.delete(key);
  }
}
