import { expect, it } from 'vitest';
import { tenantId } from '../platform/database/tenant-id.js';
import type { Actor } from '../platform/http/request-context.js';
import { NO_POLICIES, PolicySets } from './policy-sets.js';

const tenant = tenantId('t_000000000000000a');
const holder = (at: number): Actor => ({
  type: 'user',
  id: `u${at}`,
  tenant,
  roles: ['Member'],
  access: {
    policies: 0,
    groups: [],
    grants: [{ id: `g${at}`, role: 'Viewer', on: { kind: 'project', id: 'p' } }],
  },
});

it('sets that are read by Cedar are few, whatever the number of people, and one person has the same for a while', () => {
  const sets = new PolicySets(4);
  const names = new Set(Array.from({ length: 50 }, (_, at) => sets.named(holder(at), NO_POLICIES)));
  expect(names.size).toBeLessThanOrEqual(5);
  expect(sets.named(holder(49), NO_POLICIES)).toBe(sets.named({ ...holder(49) }, NO_POLICIES));
});

it('two people never have one set at the same time, nor people with grants that of those without', () => {
  const sets = new PolicySets(4);
  const [one, other] = [sets.named(holder(1), NO_POLICIES), sets.named(holder(2), NO_POLICIES)];
  const { access: _access, ...bare } = holder(1);
  const without = sets.named(bare, NO_POLICIES);
  const version = sets.named(holder(1), { key: 'v', policies: {}, circumstantial: false, heads: [] });
  expect(new Set([one, other, without, version]).size).toBe(4);
});
