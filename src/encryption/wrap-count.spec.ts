import { describe, expect, it } from 'vitest';
import { UNCOUNTED_AT_MOST, WrapCount } from './wrap-count.js';

const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
};

describe('the count of seals', () => {
  it('is reserved in blocks that grow, ahead of what is used', async () => {
    const blocks: number[] = [];
    const count = new WrapCount(
      (wraps) => {
        blocks.push(wraps);
        return Promise.resolve();
      },
      () => undefined,
    );
    for (let used = 1; used <= 200_000; used += 1) {
      count.take();
      if (used % 64 === 0) await settled();
      if (used % 64 === 1 && used > 1) expect(blocks.reduce((a, b) => a + b)).toBeGreaterThan(used);
    }
    expect(blocks.slice(0, 4)).toEqual([4_096, 8_192, 16_384, 32_768]);
    expect(blocks.length).toBeLessThan(10);
  });

  it('may be behind by a bounded number while it cannot be written down, and then refuses', async () => {
    const failures: unknown[] = [];
    const count = new WrapCount(
      () => Promise.reject(new Error('away')),
      (error) => failures.push(error),
    );
    for (let used = 0; used < UNCOUNTED_AT_MOST; used += 1) count.take();
    await settled();
    expect(() => count.take()).toThrow('cannot be counted');
    expect(failures).toHaveLength(1);
  });
});
