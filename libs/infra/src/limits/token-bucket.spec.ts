import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryTokenBuckets } from './memory-token-buckets.js';
import { leaseSize, taken, withdraw, type Quota } from './token-bucket.js';

const quotas: fc.Arbitrary<Quota> = fc.record({
  name: fc.constant('test'),
  perSecond: fc.oneof(
    fc.integer({ min: 1, max: 100_000 }),
    fc.integer({ min: 1, max: 600 }).map((perMinute) => perMinute / 60),
  ),
  burst: fc.integer({ min: 1, max: 10_000 }),
});
/** Milliseconds that pass before a withdrawal (back, where negative), and the tokens asked for. */
const steps = fc.array(
  fc.record({
    passed: fc.oneof(
      fc.double({ min: 0, max: 50, noNaN: true }),
      fc.double({ min: -5_000, max: 60_000, noNaN: true }),
    ),
    wanted: fc.integer({ min: 1, max: 500 }),
  }),
  { minLength: 1, maxLength: 200 },
);

function walk(quota: Quota, way: readonly { passed: number; wanted: number }[], start: number) {
  let fullAt: number | undefined;
  let now = start;
  return way.map(({ passed, wanted }) => {
    now += passed;
    const withdrawal = withdraw(fullAt, now, quota, wanted);
    fullAt = withdrawal.fullAt;
    expect(withdrawal.granted).toSatisfy(Number.isInteger);
    expect(withdrawal.granted).toBeGreaterThanOrEqual(0);
    expect(withdrawal.granted).toBeLessThanOrEqual(wanted);
    return { granted: withdrawal.granted, forward: Math.max(passed, 0), now, fullAt };
  });
}

describe('a token bucket', () => {
  it('grants in no span of time more than it holds and what fell into it, whatever its clock does', () => {
    fc.assert(
      fc.property(quotas, steps, fc.integer({ min: 0, max: 2 ** 41 }), (quota, way, start) => {
        const walked = walk(quota, way, start);
        for (const from of [0, Math.floor(walked.length / 2)]) {
          let granted = 0;
          let seconds = 0;
          walked.slice(from).forEach((step, at) => {
            if (at > 0) seconds += step.forward / 1_000;
            granted += step.granted;
            // The rounding of a wall clock's milliseconds, once per step.
            const rounding = 1e-3 * quota.perSecond * (at + 1) * 1e-3 + 1e-3;
            expect(granted).toBeLessThanOrEqual(quota.burst + quota.perSecond * seconds + rounding);
          });
        }
      }),
    );
  });

  it('gives all that it holds after it had time to fill, whatever its clock did before', () => {
    fc.assert(
      fc.property(quotas, steps, (quota, way) => {
        const last = walk(quota, way, 1_000).at(-1);
        const later = (last?.now ?? 0) + (quota.burst / quota.perSecond) * 1_000;
        expect(withdraw(last?.fullAt, later, quota, quota.burst + 1).granted).toBe(quota.burst);
      }),
    );
  });

  it('gives a token after the time that it names, and none before', () => {
    fc.assert(
      fc.property(quotas, (quota) => {
        const { fullAt } = withdraw(undefined, 0, quota, quota.burst);
        const { waitMs, remaining, fullInMs } = taken(false, fullAt, 0, quota);
        expect(remaining).toBe(0);
        expect(fullInMs).toBeCloseTo((quota.burst / quota.perSecond) * 1_000, 3);
        expect(withdraw(fullAt, waitMs * 0.99, quota, 1).granted).toBe(0);
        expect(withdraw(fullAt, waitMs * 1.001, quota, 1).granted).toBe(1);
      }),
    );
  });

  it('is leased by a twentieth, and by whole tokens', () => {
    const size = (perSecond: number, burst: number) => leaseSize({ name: 'test', perSecond, burst });
    expect([size(0.5, 30), size(100, 300), size(1_000, 100)]).toEqual([1, 5, 5]);
  });
});

describe('buckets in memory', () => {
  it('are forgotten one by one when there are too many, the longest unused first, and never those of another name', () => {
    const buckets = new MemoryTokenBuckets({ max: 2, now: () => 0 });
    const a = { name: 'a', perSecond: 1, burst: 1 };
    const b = { name: 'b', perSecond: 1, burst: 1 };
    const allowed = (quota: Quota, key: string) => buckets.take(quota, key).allowed;
    expect([allowed(b, 'x'), allowed(a, 'x'), allowed(a, 'y'), allowed(a, 'x')]).toEqual([
      true,
      true,
      true,
      false,
    ]);
    expect([allowed(a, 'z'), allowed(a, 'x'), allowed(a, 'y'), allowed(b, 'x')]).toEqual([
      true,
      false,
      true,
      false,
    ]);
  });
});
