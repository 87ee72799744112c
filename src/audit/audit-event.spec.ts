import { afterEach, describe, expect, it, vi } from 'vitest';
import { canonicalEvent, newEventId } from './audit-event.js';

const TENANT = { id: 't_0123456789abcdef', region: 'eu-test-1' };
const EVENT = {
  action: 'agent.read',
  actor: { type: 'user', id: 'somebody' },
  outcome: 'success',
} as const;
const MINUTE = 60_000;

let ahead = 0;
let steady = 0;
const real = Date.now();

/** The system's clock is set; the one that measures what has passed is not. */
function clocks(): void {
  vi.spyOn(Date, 'now').mockImplementation(() => real + steady + ahead);
  vi.spyOn(performance, 'now').mockImplementation(() => steady);
}
afterEach(() => void vi.restoreAllMocks());

/** In microseconds since the test began. */
function at(): number {
  const { search } = canonicalEvent(newEventId(), TENANT, EVENT, undefined);
  return (Date.parse(search.at) - real) * 1_000 + Number(search.at.slice(-4, -1));
}

describe('the time of an event', () => {
  it('does not run backwards where the clock is set back a little, and goes on once it has come so far again', () => {
    clocks();
    const before = at();
    ahead = -30_000;
    const [first, second] = [at(), at()];
    expect([first, second]).toEqual([before + 1, before + 2]);
    steady += 31_000;
    expect(at()).toBe(1_000_000);
    ahead = 0;
    expect(at()).toBe(31_000_000);
  });

  it('is the clock’s again after one that was far ahead was corrected: it does not stand still until then', () => {
    clocks();
    ahead = 60 * MINUTE;
    const wrong = at();
    expect(wrong).toBeGreaterThanOrEqual(59 * MINUTE * 1_000);
    ahead = 0;
    steady += 10;
    const corrected = at();
    expect(corrected).toBe(steady * 1_000);
    expect(at()).toBeGreaterThan(corrected);
    ahead = -60 * MINUTE;
    expect(at()).toBe(steady * 1_000 - 60 * MINUTE * 1_000);
    ahead = 0;
  });
});
