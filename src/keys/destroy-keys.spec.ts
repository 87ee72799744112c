import { describe, expect, it } from 'vitest';
import type { Operation } from '../operations/index.js';
import { deletionDue } from './destroy-keys.js';

const createdAt = new Date('2026-01-01T00:00:00Z');
const due = (waitDays: unknown): string =>
  deletionDue({ createdAt, data: { waitDays } } as unknown as Operation).toISOString();

describe('when keys are destroyed', () => {
  it('is as many days later as was said', () => {
    expect(due(30)).toBe('2026-01-31T00:00:00.000Z');
  });

  it('is never before seven days are over, whatever was written down', () => {
    for (const days of [7, 6, 0, -30, 'soon', null, undefined, Number.NaN])
      expect(due(days)).toBe('2026-01-08T00:00:00.000Z');
  });
});
