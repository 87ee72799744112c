import { describe, expect, it } from 'vitest';
import type { TenantStatus } from '../tenancy/index.js';
import { statusAfter, TransitionRefused, type LifecycleAction } from './lifecycle.js';

const ACTIONS: readonly LifecycleAction[] = [
  'inspect',
  'update',
  'suspend',
  'resume',
  'delete',
  'restore',
  'purge',
];
const STATES: readonly TenantStatus[] = ['creating', 'active', 'suspended', 'deleting', 'purging'];

/** Every pair that is possible, as the operator's handbook has it; the other 24 are not. */
const POSSIBLE: Readonly<Record<string, TenantStatus>> = {
  'inspect active': 'active',
  'inspect suspended': 'suspended',
  'inspect deleting': 'deleting',
  'update active': 'active',
  'update suspended': 'suspended',
  'suspend active': 'suspended',
  'resume suspended': 'active',
  'delete active': 'deleting',
  'delete suspended': 'deleting',
  'restore deleting': 'active',
  'purge deleting': 'purging',
};

describe('the state of an organisation', () => {
  const pairs = ACTIONS.flatMap((action) => STATES.map((status) => [action, status] as const));

  it.each(pairs)('%s while %s', (action, status) => {
    const next = POSSIBLE[`${action} ${status}`];
    if (next !== undefined) return expect(statusAfter(action, { status })).toBe(next);
    let refused: unknown;
    try {
      statusAfter(action, { status });
    } catch (error) {
      refused = error;
    }
    expect(refused).toBeInstanceOf(TransitionRefused);
    expect((refused as TransitionRefused).message).toMatch(
      new RegExp(`is ${status} and cannot be \\w+( \\w+)?\\. \\w.+\\.$`),
    );
  });

  it('is suspended again after a restore, where it was when it was deleted', () => {
    expect(statusAfter('restore', { status: 'deleting', suspendedReason: 'unpaid' })).toBe('suspended');
  });
});
