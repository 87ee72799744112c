import { describe, expect, it } from 'vitest';
import { tenantId } from '../platform/database/tenant-id.js';
import type { Actor } from '../platform/http/request-context.js';
import { Authorizer } from './authorizer.js';
import { includedScopes, PERMISSIONS, SCOPES, type Grantee, type PermissionName } from './permissions.js';

const A = tenantId('t_000000000000000a');
const B = tenantId('t_000000000000000b');
const ORDER: readonly Grantee[] = ['viewer', 'developer', 'admin', 'owner'];
const ROLES = ['Viewer', 'Developer', 'Admin', 'Owner'];
const ALL = Object.keys(PERMISSIONS) as PermissionName[];

const person = (role: string, tenant = A): Actor => ({ type: 'user', id: 'u', tenant, roles: [role] });
const key = (role: string, scopes: string[], tenant = A): Actor => ({
  type: 'api_key',
  id: 'k',
  userId: 'u',
  tenant,
  roles: [role],
  scopes,
});
const OPERATOR: Actor = { type: 'operator', id: 'operator', roles: [] };

describe('the authorizer', () => {
  const authorizer = new Authorizer();
  const allows = (actor: Actor, permission: PermissionName, tenant: typeof A | 'none' = A): boolean =>
    authorizer.decide(actor, permission, tenant === 'none' ? undefined : tenant).allowed;

  it('gives each role what is granted to it and to the roles below it, and nothing else', () => {
    for (const [rank, role] of ROLES.entries()) {
      for (const permission of ALL) {
        const granted = ORDER.indexOf(PERMISSIONS[permission].grantee);
        expect(allows(person(role), permission), `${role} ${permission}`).toBe(
          granted >= 0 && granted <= rank,
        );
      }
    }
  });

  it('gives nobody anything in another organisation', () => {
    for (const permission of ALL) {
      expect(allows(person('Owner'), permission, B), permission).toBe(false);
      expect(allows(key('Owner', ['*:admin']), permission, B), permission).toBe(false);
    }
  });

  it('limits an API key to its scopes, and to the role of the person whose key it is', () => {
    for (const permission of ALL) {
      const { scope } = PERMISSIONS[permission];
      const resource = scope.split(':')[0] ?? '';
      expect(allows(key('Owner', [`${resource}:admin`]), permission), permission).toBe(
        allows(person('Owner'), permission),
      );
      expect(allows(key('Viewer', ['*:admin']), permission), permission).toBe(
        allows(person('Viewer'), permission),
      );
      const others = SCOPES.filter((other) => !other.startsWith(`${resource}:`) && !other.startsWith('*'));
      expect(allows(key('Owner', others), permission), permission).toBe(false);
    }
  });

  it('lets the operator operate, and see into no organisation', () => {
    for (const permission of ALL) {
      expect(allows(OPERATOR, permission, 'none'), permission).toBe(
        PERMISSIONS[permission].grantee === 'operator',
      );
      expect(allows(OPERATOR, permission, A), permission).toBe(false);
    }
  });

  it('allows nothing to anonymous callers, unknown roles and people without any', () => {
    const nobodies: Actor[] = [
      { type: 'anonymous', id: 'anonymous', roles: ['Owner'], tenant: A },
      { type: 'system', id: 'worker', roles: ['Owner'], tenant: A },
      person('Emperor'),
      { type: 'user', id: 'u', tenant: A, roles: [] },
      { type: 'user', id: 'u', roles: ['Owner'] },
    ];
    for (const actor of nobodies) for (const permission of ALL) expect(allows(actor, permission)).toBe(false);
  });

  it('names the policies that decided', () => {
    expect(authorizer.decide(person('Admin'), 'audit:read', A).policies).toEqual(['admin-administers']);
    expect(authorizer.decide(person('Owner'), 'audit:read', B).policies).toEqual(['own-organisation-only']);
    expect(authorizer.decide(key('Owner', ['run:read']), 'audit:read', A).policies).toEqual([
      'api-key-within-scopes',
    ]);
    expect(authorizer.decide(person('Viewer'), 'audit:read', A).policies).toEqual([]);
  });
});

describe('scopes', () => {
  it('include the levels below, and with * every resource', () => {
    expect(includedScopes(['agent:write']).sort()).toEqual(['agent:read', 'agent:write']);
    expect(includedScopes(['*:read']).every((scope) => scope.endsWith(':read'))).toBe(true);
    expect(includedScopes(['*:admin'])).toContain('audit:admin');
    expect(includedScopes(['*:admin']).some((scope) => scope.startsWith('tenant:'))).toBe(false);
    expect(includedScopes(['agent:nonsense', 'x'])).toEqual([]);
  });
});
