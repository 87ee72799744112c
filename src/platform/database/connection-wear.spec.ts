import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConnectionWear } from './connection-wear.js';
import { tenantId } from './tenant-id.js';

const tenant = tenantId('t_0123456789abcdef');
const other = tenantId('t_fedcba9876543210');

describe('a connection’s wear', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it('counts a statement of a tenant once, and the same of another tenant again', () => {
    const wear = new ConnectionWear({ touches: 2 });
    expect([wear.note(tenant, 1), wear.note(tenant, 1), wear.note(tenant, 1)]).toEqual([1, 2, 3]);
    expect(wear.worn).toBe(false);
    expect(wear.note(other, 1)).toBe(1);
    expect(wear.worn).toBe(true);
  });

  it('ends a lifetime between three and five quarters of what is said, not the same for all', () => {
    const wears = Array.from({ length: 200 }, () => new ConnectionWear({ lifetimeMs: 1_000 }));
    const worn = (): number => wears.filter((wear) => wear.worn).length;
    vi.advanceTimersByTime(749);
    expect(worn()).toBe(0);
    vi.advanceTimersByTime(251);
    expect(worn()).toBeGreaterThan(20);
    expect(worn()).toBeLessThan(180);
    vi.advanceTimersByTime(251);
    expect(worn()).toBe(200);
  });
});
