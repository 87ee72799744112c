import * as cedar from '@cedar-policy/cedar-wasm/nodejs';
import { describe, expect, it } from 'vitest';
import { tenantId } from '../platform/database/tenant-id.js';
import type { Grant } from '../platform/http/grants.js';
import type { Actor } from '../platform/http/request-context.js';
import { Authorizer, type Decision } from './authorizer.js';
import { compilePolicies } from './compile-policies.js';
import { SCHEMA } from './default-policies.js';
import { contextOf, entitiesOf, principalOf, resourceOf, treeOf } from './entities.js';
import {
  coversScope,
  DEFAULT_ROLES,
  includedScopes,
  isInTheTree,
  PERMISSIONS,
  permissionsOf,
  SCOPES,
  type Grantee,
  type PermissionName,
} from './permissions.js';
import { policySet, type PolicyVersion } from './policy-sets.js';
import {
  agentResource,
  INSTALLATION,
  organisation,
  projectResource,
  wholeOf,
  type Resource,
} from './resource.js';

const A = tenantId('t_000000000000000a');
const B = tenantId('t_000000000000000b');
const ORDER: readonly Grantee[] = ['member', 'viewer', 'developer', 'admin', 'owner'];
const ROLES = ['Member', 'Viewer', 'Developer', 'Admin', 'Owner'];
const ALL = Object.keys(PERMISSIONS) as PermissionName[];
const NOON = Date.UTC(2026, 10, 29, 12);
const FROM = { ip: '192.0.2.1', at: NOON };

const person = (role: string, tenant = A, more: Partial<Actor> = {}): Actor => ({
  type: 'user',
  id: 'u',
  tenant,
  roles: [role],
  ...more,
});
const key = (role: string, scopes: string[], tenant = A): Actor => ({
  type: 'api_key',
  id: 'k',
  userId: 'u',
  tenant,
  roles: [role],
  scopes,
});
const OPERATOR: Actor = { type: 'operator', id: 'operator', roles: [] };

const bare = { environment: null, tags: [] };
const PROJECT = projectResource(A, { id: 'p', ...bare });
const AGENT = agentResource(A, { id: 'p', ...bare }, { id: 'a', environment: 'production', tags: ['pii'] });
const OTHER_AGENT = agentResource(A, { id: 'q', ...bare }, { id: 'b', ...bare });

describe('the authorizer', () => {
  const authorizer = new Authorizer();
  const decide = (
    actor: Actor,
    permission: PermissionName,
    resource: Resource = organisation(A),
    policies?: PolicyVersion,
    circumstances = FROM,
  ): Decision =>
    authorizer.decide({ actor, permission, resource, circumstances, ...(policies && { policies }) });
  const allows = (actor: Actor, permission: PermissionName, tenant: typeof A | 'none' = A): boolean =>
    decide(actor, permission, wholeOf(tenant === 'none' ? undefined : tenant)).allowed;

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

  it('gives a role the same on everything in the organisation', () => {
    for (const role of ROLES)
      for (const permission of ALL.filter(isInTheTree))
        for (const resource of [PROJECT, AGENT, OTHER_AGENT])
          expect(decide(person(role), permission, resource).allowed, `${role} ${permission}`).toBe(
            allows(person(role), permission),
          );
  });

  it('gives nobody anything in another organisation', () => {
    const foreign = [organisation(B), projectResource(B, { id: 'p', ...bare })];
    for (const permission of ALL) {
      expect(allows(person('Owner'), permission, B), permission).toBe(false);
      expect(allows(key('Owner', ['*:admin']), permission, B), permission).toBe(false);
      for (const resource of foreign)
        expect(decide(person('Owner'), permission, resource).allowed, permission).toBe(false);
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

  it('lets a directory provide people, in its own organisation, and do nothing else', () => {
    const directory: Actor = { type: 'directory', id: 'd', tenant: A, roles: [] };
    for (const permission of ALL) {
      expect(allows(directory, permission), permission).toBe(PERMISSIONS[permission].grantee === 'directory');
      expect(allows(directory, permission, B), permission).toBe(false);
      expect(allows(directory, permission, 'none'), permission).toBe(false);
    }
  });

  it('lets a transmitter tell of people, in its own organisation, and do nothing else', () => {
    const transmitter: Actor = { type: 'transmitter', id: 't', tenant: A, roles: [] };
    for (const permission of ALL) {
      const tells = PERMISSIONS[permission].grantee === 'transmitter';
      expect(allows(transmitter, permission), permission).toBe(tells);
      expect(allows(transmitter, permission, B), permission).toBe(false);
      expect(allows(transmitter, permission, 'none'), permission).toBe(false);
    }
  });

  it('lets nobody of an organisation do anything in the installation', () => {
    for (const permission of ALL)
      expect(decide(person('Owner'), permission, INSTALLATION).allowed, permission).toBe(false);
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
    const policies = (actor: Actor, tenant = A) => decide(actor, 'audit:read', organisation(tenant)).policies;
    expect(policies(person('Admin'))).toEqual(['admin-administers']);
    expect(policies(person('Owner'), B)).toEqual(['own-organisation-only']);
    expect(policies(key('Owner', ['run:read']))).toEqual(['api-key-within-scopes']);
    expect(policies(person('Viewer'))).toEqual([]);
  });

  describe('of grants', () => {
    const granted = (on: Grant['on'], role = 'Developer', permissions?: readonly PermissionName[]): Actor =>
      person('Member', A, {
        access: {
          policies: 0,
          groups: [],
          grants: [{ id: 'g', role, on, ...(permissions && { permissions }) }],
        },
      });

    it('gives a default role on what it was granted on and what is in it, and nowhere else', () => {
      const actor = granted({ kind: 'project', id: 'p' });
      const has = new Set(permissionsOf('Developer'));
      for (const permission of ALL.filter(isInTheTree)) {
        expect(decide(actor, permission, PROJECT).allowed, permission).toBe(has.has(permission));
        expect(decide(actor, permission, AGENT).allowed, permission).toBe(has.has(permission));
        expect(decide(actor, permission, OTHER_AGENT).allowed, permission).toBe(false);
        expect(decide(actor, permission).allowed, permission).toBe(false);
      }
      expect(decide(actor, 'agent:read', AGENT).policies).toEqual(['grant:g']);
    });

    it('gives a role of the own making exactly what it has', () => {
      const actor = granted({ kind: 'organisation', id: A }, 'r', ['run:cancel', 'audit:read']);
      for (const permission of ALL) {
        const own = permissionsOf('Member').includes(permission);
        const expected = own || permission === 'run:cancel' || permission === 'audit:read';
        expect(decide(actor, permission).allowed, permission).toBe(expected);
      }
      expect(decide(actor, 'run:cancel', AGENT).allowed).toBe(true);
      expect(decide(actor, 'run:cancel', projectResource(B, { id: 'p', ...bare })).allowed).toBe(false);
    });

    it('keeps a key within its scopes and within what its person was granted', () => {
      const access = {
        policies: 0,
        groups: [],
        grants: [{ id: 'g', role: 'Developer', on: { kind: 'agent', id: 'a' } }],
      } as const;
      const wide = { ...key('Member', ['*:admin']), access };
      const narrow = { ...key('Member', ['run:read']), access };
      expect(decide(wide, 'agent:update', AGENT).allowed).toBe(true);
      expect(decide(wide, 'agent:update', OTHER_AGENT).allowed).toBe(false);
      expect(decide(narrow, 'agent:update', AGENT).policies).toEqual(['api-key-within-scopes']);
    });

    it('decides anew for whoever was granted something else', () => {
      const one = granted({ kind: 'project', id: 'p' });
      const other = { ...granted({ kind: 'project', id: 'q' }), id: one.id };
      expect(decide(one, 'agent:read', AGENT).allowed).toBe(true);
      expect(decide(other, 'agent:read', AGENT).allowed).toBe(false);
      expect(decide(one, 'agent:read', AGENT).allowed).toBe(true);
    });
  });

  describe("of an organisation's own policies", () => {
    let texts = 0;
    const policies = (text: string) => compilePolicies(text, `text ${(texts += 1)}`, 7);
    const freeze = policies(
      `@id("freeze") forbid (principal, action == Action::"agent:delete", resource)
       when { resource has environment && resource.environment == "production" };`,
    );

    it('forbids what they forbid, under the name and version of the policy', () => {
      expect(decide(person('Owner'), 'agent:delete', AGENT, freeze)).toEqual({
        allowed: false,
        policies: ['policy:freeze@7'],
      });
      expect(decide(person('Owner'), 'agent:delete', OTHER_AGENT, freeze).allowed).toBe(true);
      expect(decide(person('Owner'), 'agent:read', AGENT, freeze).allowed).toBe(true);
    });

    it('asks again each time where they look at circumstances', () => {
      const hours = policies(
        `@id("hours") forbid (principal, action, resource) unless { context.now.toTime() < duration("13h") };`,
      );
      const admin = person('Admin');
      expect(decide(admin, 'agent:delete', AGENT, hours).allowed).toBe(true);
      const later = { ...FROM, at: NOON + 2 * 3_600_000 };
      expect(decide(admin, 'agent:delete', AGENT, hours, later).allowed).toBe(false);
      expect(decide(admin, 'agent:delete', AGENT, hours).allowed).toBe(true);
    });

    it('looks at addresses, also those that a socket writes as IPv6', () => {
      const office = policies(
        `@id("office") forbid (principal, action, resource) unless { context.ip.isInRange(ip("192.0.2.0/24")) };`,
      );
      for (const [ip, allowed] of [
        ['192.0.2.9', true],
        ['::ffff:192.0.2.9', true],
        ['198.51.100.1', false],
        ['2001:db8::1', false],
        ['fe80::1%eth0', false],
        ['unknown', false],
      ] as const)
        expect(decide(person('Admin'), 'agent:read', AGENT, office, { ...FROM, ip }).allowed, ip).toBe(
          allowed,
        );
    });

    it('looks at how long ago the second factor was proved', () => {
      const recent = policies(
        `@id("recent") forbid (principal, action == Action::"key:destroy", resource)
         unless { principal has mfaAt && context.now.durationSince(principal.mfaAt) <= duration("15m") };`,
      );
      const proved = (at?: number) => person('Owner', A, at === undefined ? {} : { mfaAt: at });
      const destroys = (actor: Actor) => decide(actor, 'key:destroy', organisation(A), recent).allowed;
      expect(destroys(proved(NOON - 10 * 60_000))).toBe(true);
      expect(destroys(proved(NOON - 16 * 60_000))).toBe(false);
      expect(destroys(proved())).toBe(false);
    });

    it('leaves owners what they need to take policies back', () => {
      const everything = policies(`@id("none") forbid (principal, action, resource);`);
      expect(decide(person('Owner'), 'session:step_up', organisation(A), everything).allowed).toBe(true);
      expect(decide(person('Owner'), 'agent:read', organisation(A), everything).allowed).toBe(false);
      expect(decide(person('Admin'), 'session:step_up', organisation(A), everything).allowed).toBe(false);
    });

    it('permits within the organisation and never beyond it', () => {
      const generous = policies(`@id("all") permit (principal, action, resource);`);
      expect(decide(person('Member'), 'agent:read', AGENT, generous).allowed).toBe(true);
      expect(decide(person('Member'), 'agent:read', organisation(B), generous).allowed).toBe(false);
      expect(decide(key('Member', ['run:read']), 'agent:read', AGENT, generous).allowed).toBe(false);
    });
  });
});

it('every question that is put to Cedar fits the schema', () => {
  const grants: Grant[] = [{ id: 'g', role: 'Viewer', on: { kind: 'project', id: 'p' } }];
  const actors = [
    person('Developer', A, { mfaAt: NOON, access: { policies: 0, groups: [], grants } }),
    key('Admin', ['*:read']),
    OPERATOR,
  ];
  expect(cedar.preparseSchema('whole', SCHEMA)).toEqual({ type: 'success' });
  for (const actor of actors) {
    const principal = principalOf(actor);
    if (!principal) throw new Error('These act.');
    cedar.preparsePolicySet(
      'checked',
      policySet(actor, { key: '', policies: {}, circumstantial: false, heads: [] }),
    );
    for (const permission of ALL) {
      const below = isInTheTree(permission) ? [organisation(A), PROJECT, AGENT] : [organisation(A)];
      const resources = PERMISSIONS[permission].grantee === 'operator' ? [INSTALLATION] : below;
      for (const resource of resources) {
        const answer = cedar.statefulIsAuthorized({
          principal,
          action: { type: 'Action', id: permission },
          resource: resourceOf(resource),
          context: contextOf(permission, FROM),
          preparsedPolicySetId: 'checked',
          preparsedSchemaName: 'whole',
          validateRequest: true,
          // The schema knows the actions itself.
          entities: [...entitiesOf(actor, principal, permission), ...treeOf(resource)].filter(
            ({ uid }) => !('type' in uid && uid.type === 'Action'),
          ),
        });
        expect(answer.type, `${permission} ${resource.key}`).toBe('success');
      }
    }
  }
});

describe('scopes', () => {
  it('include the levels below, and with * every resource', () => {
    expect(includedScopes(['agent:write']).sort()).toEqual(['agent:read', 'agent:write']);
    expect(includedScopes(['*:read']).every((scope) => scope.endsWith(':read'))).toBe(true);
    expect(includedScopes(['*:admin'])).toContain('audit:admin');
    expect(includedScopes(['*:admin']).some((scope) => scope.startsWith('tenant:'))).toBe(false);
    expect(includedScopes(['agent:nonsense', 'x'])).toEqual([]);
    const wanted = [...new Set(Object.values(PERMISSIONS).map(({ scope }) => scope)), 'x:read'];
    for (const scope of [...SCOPES, 'agent:nonsense', 'x', ''])
      for (const one of wanted)
        expect(coversScope([scope], one), `${scope} ${one}`).toBe(includedScopes([scope]).includes(one));
  });
});

it('default roles include those below them', () => {
  const counts = DEFAULT_ROLES.map((role) => permissionsOf(role).length);
  expect(counts).toEqual(counts.toSorted((a, b) => a - b));
  expect(new Set(counts).size).toBe(counts.length);
});
