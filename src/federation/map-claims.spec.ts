import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ROLES } from '../auth/identity.entity.js';
import { isAbove } from '../auth/index.js';
import { mapClaims } from './map-claims.js';
import { MAPPED_ROLES, roleMappingColumn } from './mapped-role.js';

const MAPPING = { email: 'email', name: 'name', groups: 'groups' };
const RULES = [
  { claim: 'groups', value: 'admins', role: 'Admin' },
  { claim: 'department', value: 'Engineering', role: 'Developer' },
] as const;
const ROLE_MAPPING = { rules: RULES, defaultRole: 'Viewer', everySignIn: true } as const;

describe('what a provider said', () => {
  it('is an address, a name, groups, and the role of the first rule that fits', () => {
    const claims = {
      email: ['ann@acme.example'],
      name: ['Ann'],
      groups: ['staff', 'admins'],
      department: ['Engineering'],
    };
    expect(mapClaims(claims, MAPPING, ROLE_MAPPING, 'Admin')).toEqual({
      email: 'ann@acme.example',
      name: 'Ann',
      groups: ['staff', 'admins'],
      role: 'Admin',
      rule: 0,
    });
  });

  it('gives the default role where no rule fits, exactly or not at all', () => {
    for (const groups of [[], ['Admins'], ['admins '], ['admins,staff']])
      expect(mapClaims({ groups }, MAPPING, ROLE_MAPPING, 'Owner')).toMatchObject({ role: 'Viewer' });
  });

  it('has no address where there are two', () => {
    const claims = { email: ['ann@acme.example', 'owner@acme.example'] };
    expect(mapClaims(claims, MAPPING, ROLE_MAPPING, 'Owner').email).toBeUndefined();
  });

  it('is not looked for in what every object has', () => {
    const mapping = { email: 'constructor', name: '__proto__', groups: 'toString' };
    expect(mapClaims({}, mapping, ROLE_MAPPING, 'Owner')).toEqual({ groups: [], role: 'Viewer' });
  });

  it('never gives more than whoever set the connection holds, whatever rules and claims say', () => {
    const role = fc.constantFrom(...MAPPED_ROLES);
    const rule = fc.record({ claim: fc.constant('groups'), value: fc.constantFrom('a', 'b', 'c'), role });
    fc.assert(
      fc.property(
        fc.array(rule),
        role,
        fc.constantFrom(...ROLES),
        fc.subarray(['a', 'b', 'c']),
        (rules, defaultRole, highest, groups) => {
          const given = mapClaims({ groups }, MAPPING, { rules, defaultRole, everySignIn: false }, highest);
          expect(isAbove(given.role, highest)).toBe(false);
          if (given.capped) expect(isAbove(given.capped, given.role)).toBe(true);
        },
      ),
    );
  });

  it('makes nobody an Owner, not by a rule of before either', () => {
    const stored = {
      rules: [{ claim: 'groups', value: 'bosses', role: 'Owner' as const }],
      defaultRole: 'Owner' as const,
      everySignIn: true,
    };
    const mapping = roleMappingColumn.from(stored);
    for (const groups of [['bosses'], []])
      expect(mapClaims({ groups }, MAPPING, mapping, 'Owner')).toMatchObject({ role: 'Admin' });
  });
});
