import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyPatch } from './apply-patch.js';
import { isFields, type Fields, type Json } from './evaluate-filter.js';
import { PATCH_SCHEMA, readPatch } from './patch-request.js';
import { isPrimary } from './read-value.js';
import { readResource } from './read-resource.js';
import { ENTERPRISE_SCHEMA, USER_SCHEMA, USER_TYPE } from './resource-types.js';
import { ScimError } from './scim.errors.js';

const WORK = { value: 'bjensen@example.com', type: 'work', primary: true };
const HOME = { value: 'babs@jensen.org', type: 'home' };
const BARBARA: Fields = {
  userName: 'bjensen',
  name: { familyName: 'Jensen', givenName: 'Barbara' },
  emails: [WORK, HOME],
  addresses: [{ type: 'work', streetAddress: '1 Main Street', locality: 'Hollywood' }],
};

const outcome = (operations: Json): unknown => {
  try {
    return patched(operations);
  } catch (error) {
    if (error instanceof ScimError) return error.scimType;
    throw error;
  }
};

function patched(operations: Json, resource = BARBARA): Fields {
  return applyPatch(USER_TYPE, resource, readPatch({ schemas: [PATCH_SCHEMA], Operations: operations }));
}

describe('add', () => {
  it('puts values beside those that are there, once, however often it is repeated', () => {
    const operation = { op: 'add', path: 'emails', value: [{ value: 'x@example.com', type: 'other' }, HOME] };
    const once = patched([operation]);
    expect(once['emails']).toEqual([WORK, HOME, { value: 'x@example.com', type: 'other' }]);
    expect(patched([operation], once)).toEqual(once);
  });

  it('of a new primary value takes that from the one before', () => {
    const value = [{ value: 'x@example.com', primary: true }];
    expect(patched([{ op: 'add', path: 'emails', value }])['emails']).toEqual([
      { ...WORK, primary: false },
      HOME,
      { value: 'x@example.com', primary: true },
    ]);
  });

  it('without a path takes names in any case, and parts of a name beside those that are there', () => {
    const value = { nickname: 'Babs', NAME: { middleName: 'Jane' } };
    expect(patched([{ op: 'add', value }])).toMatchObject({
      nickName: 'Babs',
      name: { familyName: 'Jensen', givenName: 'Barbara', middleName: 'Jane' },
    });
  });

  it.each(['add', 'Replace'])('by %s of a part of a value that is not there makes it (Entra ID)', (op) => {
    const operation = { op, path: 'phoneNumbers[type eq "work"].value', value: '+49 30 1' };
    expect(patched([operation])['phoneNumbers']).toEqual([{ type: 'work', value: '+49 30 1' }]);
  });

  it('makes a role that is primary where the filter says so in quotes (Entra ID)', () => {
    const operation = { op: 'Add', path: 'roles[primary eq "True"].value', value: 'Editor' };
    expect(patched([operation])['roles']).toEqual([{ primary: true, value: 'Editor' }]);
  });
});

describe('replace', () => {
  it('takes the keys of its value for paths, dotted and with URNs (Entra ID)', () => {
    const value = {
      'name.givenName': 'Babs',
      [`${ENTERPRISE_SCHEMA}:department`]: 'Tours',
      'emails[type eq "work"].value': 'new@example.com',
      'urn:of:nobody:2.0:User:colour': 'blue',
    };
    expect(patched([{ op: 'Replace', value }])).toEqual({
      ...BARBARA,
      name: { familyName: 'Jensen', givenName: 'Babs' },
      emails: [{ ...WORK, value: 'new@example.com' }, HOME],
      [ENTERPRISE_SCHEMA]: { department: 'Tours' },
    });
  });

  it.each(['', null])('by %j clears an attribute (Entra ID)', (value) => {
    expect(patched([{ op: 'Replace', path: 'name.givenName', value }])['name']).toEqual({
      familyName: 'Jensen',
    });
    expect(patched([{ op: 'Replace', path: 'name', value }])).not.toHaveProperty('name');
    const [first] = [patched([{ op: 'Replace', value: { emails: value } }])];
    expect(first).not.toHaveProperty('emails');
  });

  it('of a manager takes a bare id, and nothing to remove it (Entra ID)', () => {
    const path = `${ENTERPRISE_SCHEMA}:manager`;
    const managed = patched([{ op: 'Add', path, value: 'm-1' }]);
    expect(managed[ENTERPRISE_SCHEMA]).toEqual({ manager: { value: 'm-1' } });
    expect(patched([{ op: 'Replace', path, value: '' }], managed)).not.toHaveProperty(ENTERPRISE_SCHEMA);
  });

  it.each([
    [false, false],
    ['False', false],
    ['True', true],
    [true, true],
  ])('reads %j as %s', (value, active) => {
    expect(patched([{ op: 'replace', value: { active: value } }])['active']).toBe(active);
    expect(patched([{ op: 'Replace', path: 'active', value }])['active']).toBe(active);
  });

  it('of values that a filter names replaces those alone', () => {
    const value = { type: 'work', streetAddress: '911 Universal City Plaza' };
    expect(patched([{ op: 'replace', path: 'addresses[type eq "work"]', value }])['addresses']).toEqual([
      value,
    ]);
    expect(outcome([{ op: 'replace', path: 'addresses[type eq "home"]', value }])).toBe('noTarget');
  });
});

describe('remove', () => {
  it('of values by a filter leaves the others', () => {
    const path = 'emails[type eq "work" and value ew "example.com"]';
    expect(patched([{ op: 'remove', path }])['emails']).toEqual([HOME]);
  });

  it('with a list of values removes those, and not all (Entra ID)', () => {
    const value = [{ value: 'babs@jensen.org' }];
    expect(patched([{ op: 'Remove', path: 'emails', value }])['emails']).toEqual([WORK]);
    expect(patched([{ op: 'remove', path: 'emails' }])).not.toHaveProperty('emails');
  });

  it('of what is not there changes nothing', () => {
    expect(patched([{ op: 'remove', path: 'nickName' }])).toEqual(BARBARA);
    expect(patched([{ op: 'remove', path: 'emails[type eq "other"]' }])).toEqual(BARBARA);
  });
});

describe('is refused', () => {
  it.each<[string, Json, string]>([
    ['no list', {}, 'invalidSyntax'],
    ['an empty list', [], 'invalidSyntax'],
    ['another operation', [{ op: 'move', path: 'title', value: 'x' }], 'invalidSyntax'],
    ['a removal without a path', [{ op: 'remove' }], 'noTarget'],
    ['an unknown attribute', [{ op: 'add', path: 'shoeSize', value: 44 }], 'invalidPath'],
    ['an unknown part', [{ op: 'add', path: 'name.shoeSize', value: 44 }], 'invalidPath'],
    ['brackets that are not closed', [{ op: 'add', path: 'emails[type eq "x"', value: 'x' }], 'invalidPath'],
    [
      'brackets behind a plain attribute',
      [{ op: 'add', path: 'title[value eq "x"]', value: 'x' }],
      'invalidPath',
    ],
    ['something behind the path', [{ op: 'add', path: 'emails title', value: 'x' }], 'invalidPath'],
    ['the id', [{ op: 'replace', path: 'id', value: 'x' }], 'mutability'],
    ['the groups', [{ op: 'replace', path: 'groups', value: [] }], 'mutability'],
    ['removing what is required', [{ op: 'remove', path: 'userName' }], 'mutability'],
    ['clearing what is required', [{ op: 'replace', path: 'userName', value: '' }], 'mutability'],
    ['a value that is none', [{ op: 'replace', path: 'active', value: 'perhaps' }], 'invalidValue'],
    [
      'two primary values',
      [{ op: 'replace', path: 'emails', value: [WORK, { ...HOME, primary: true }] }],
      'invalidValue',
    ],
    ['no object without a path', [{ op: 'replace', value: 'x' }], 'invalidValue'],
  ])('%s', (_what, operations, scimType) => {
    expect(outcome(operations)).toBe(scimType);
  });
});

const PATHS = ['userName', 'active', 'emails', 'emails[type eq "work"]', 'emails[type eq "work"].value', 'emails.primary', 'name', 'name.givenName', `${ENTERPRISE_SCHEMA}:manager`, ENTERPRISE_SCHEMA, 'emails[', 'id', 'password', 'schemas', 'x']; // prettier-ignore
const value = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom<Json>('', null, 'True', [], {}, [WORK], [HOME, WORK], WORK, {
    emails: [WORK],
    active: 'False',
  }),
);
const operation = fc.record(
  { op: fc.constantFrom('add', 'Replace', 'remove', 'x'), path: fc.constantFrom(...PATHS), value },
  { requiredKeys: ['op'] },
);

describe('whatever the operations', () => {
  it('the outcome is a resource in its normal form, or a refusal, and the resource before is as it was', () => {
    fc.assert(
      fc.property(fc.oneof(value, fc.array(operation, { maxLength: 6 })), (operations) => {
        const before = structuredClone(BARBARA);
        try {
          const after = patched(operations as Json, BARBARA);
          expect(readResource(USER_TYPE, { ...after, schemas: [USER_SCHEMA] })).toEqual(after);
          const { emails } = after;
          if (Array.isArray(emails)) expect(emails.filter(isPrimary).length).toBeLessThanOrEqual(1);
          expect(isFields(after)).toBe(true);
        } catch (error) {
          if (!(error instanceof ScimError)) throw error;
        }
        expect(BARBARA).toEqual(before);
      }),
      { numRuns: 3_000 },
    );
  });
});
