import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fits, type Fields } from './evaluate-filter.js';
import type { AttributePath, Filter } from './filter.js';
import { parseFilter } from './parse-filter.js';
import { ENTERPRISE_SCHEMA, USER_TYPE } from './resource-types.js';
import { ScimError } from './scim.errors.js';

const BARBARA: Fields = {
  id: '2819c223-7f76-453a-919d-413861904646',
  userName: 'bjensen@example.com',
  externalId: 'Ext-1',
  active: true,
  title: 'Tour Guide',
  name: { familyName: "O'Malley", givenName: 'Barbara' },
  emails: [
    { value: 'bjensen@example.com', type: 'work', primary: true },
    { value: 'babs@jensen.org', type: 'home' },
  ],
  meta: {
    resourceType: 'User',
    created: '2011-05-13T04:42:34.000Z',
    lastModified: '2011-05-13T04:42:34.000Z',
  },
  [ENTERPRISE_SCHEMA]: { department: 'Tour Operations', manager: { value: 'm-1' } },
};

const matches = (filter: string, resource = BARBARA): boolean =>
  fits(parseFilter(USER_TYPE, filter), resource);

describe('a filter', () => {
  it.each([
    ['userName eq "bjensen@example.com"', true],
    ['USERNAME EQ "BJENSEN@Example.com"', true],
    [`name.familyName co "O'Malley"`, true],
    ['userName sw "BJ"', true],
    ['urn:ietf:params:scim:schemas:core:2.0:User:userName sw "bj"', true],
    ['title pr', true],
    ['nickName pr', false],
    ['meta.lastModified gt "2011-05-13T04:42:33Z"', true],
    ['meta.lastModified ge "2011-05-13T04:42:34Z"', true],
    ['meta.lastModified lt "2011-05-13T06:42:34+02:00"', false],
    ['meta.lastModified le "2011-05-13T06:42:34+02:00"', true],
    ['title pr and userType eq "Employee"', false],
    ['title pr or userType eq "Intern"', true],
    ['emails co "jensen.org"', true],
    ['emails.type eq "work"', true],
    ['emails[type eq "work" and value co "@example.com"]', true],
    ['emails[type eq "home" and value co "@example.com"]', false],
    ['emails[not (type eq "work")]', true],
    ['userType ne "Employee" and not (emails co "example.com" or emails.value co "nowhere")', false],
    ['emails[type eq "work" and value co "@example.com"] or ims[type eq "xmpp"]', true],
    ['userType eq null', true],
    ['title ne null', true],
    ['externalId eq "ext-1"', false],
    ['externalId eq "Ext-1"', true],
    ['active eq true', true],
    ['active eq "True"', true],
    ['active ne false', true],
    ['emails[primary eq "True"].value eq "x"', 'invalidFilter'],
    [`${ENTERPRISE_SCHEMA}:department sw "tour"`, true],
    [`${ENTERPRISE_SCHEMA}:manager.value eq "m-1"`, true],
    [`${ENTERPRISE_SCHEMA}:manager eq "m-1"`, true],
    ['title eq "x" or title pr and not (active eq true)', false],
    ['(title eq "x" or title pr) and active eq true', true],
    ['userName eq', 'invalidFilter'],
    ['userName', 'invalidFilter'],
    ['', 'invalidFilter'],
    ['userName eq bjensen', 'invalidFilter'],
    ['userName eq "bjensen', 'invalidFilter'],
    ['userName is "bjensen"', 'invalidFilter'],
    ['shoeSize eq "44"', 'invalidFilter'],
    ['name eq "x"', 'invalidFilter'],
    ['name.shoeSize eq "44"', 'invalidFilter'],
    ['active gt true', 'invalidFilter'],
    ['active eq "maybe"', 'invalidFilter'],
    ['meta.created gt "yesterday"', 'invalidFilter'],
    ['meta.created co "2011"', 'invalidFilter'],
    ['userName gt null', 'invalidFilter'],
    ['userName eq "a" and', 'invalidFilter'],
    ['(userName eq "a"', 'invalidFilter'],
    ['userName eq "a")', 'invalidFilter'],
    ['emails[type eq "work"', 'invalidFilter'],
    ['emails[]', 'invalidFilter'],
    ['userName[value eq "x"]', 'invalidFilter'],
    ['not userName eq "a"', 'invalidFilter'],
    ['userName eq 12', 'invalidFilter'],
    ['userName eq "\\u0000"', 'invalidFilter'],
    [`${'('.repeat(200)}title pr${')'.repeat(200)}`, 'invalidFilter'],
    [Array.from({ length: 200 }, () => 'title pr').join(' or '), 'invalidFilter'],
    ['x'.repeat(10_000), 'invalidFilter'],
  ] as const)('%s: %s', (filter, expected) => {
    if (typeof expected === 'boolean') expect(matches(filter)).toBe(expected);
    else expect(() => matches(filter)).toThrow(expect.objectContaining({ scimType: expected }) as Error);
  });

  it('compares `ne` with every value, so that it is the opposite of `eq`', () => {
    expect(matches('emails.type ne "work"')).toBe(false);
    expect(matches('emails.type ne "other"')).toBe(true);
    expect(matches('nickName ne "x"')).toBe(true);
  });
});

const WORDS = [
  'userName', 'emails', 'name.givenName', 'active', 'meta.created', 'members', ENTERPRISE_SCHEMA,
  'eq', 'ne', 'co', 'pr', 'gt', 'and', 'or', 'not', 'null', 'true', '(', ')', '[', ']', '"', '"x"', '\\', '.', '1', '-', ' ', '\u0000', '😀',
]; // prettier-ignore

describe('whatever the text', () => {
  const any = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.array(fc.constantFrom(...WORDS), { maxLength: 40 }).map((words) => words.join(' ')),
    fc.array(fc.constantFrom(...WORDS), { maxLength: 40 }).map((words) => words.join('')),
  );

  it('comes to a filter or is refused as one, and nothing else happens', () => {
    fc.assert(
      fc.property(any, (text) => {
        try {
          expect(typeof fits(parseFilter(USER_TYPE, text), BARBARA)).toBe('boolean');
        } catch (error) {
          expect(error).toBeInstanceOf(ScimError);
          expect(error).toMatchObject({ scimType: 'invalidFilter', kind: 'invalid' });
        }
      }),
      { numRuns: 3_000 },
    );
  });
});

/** As a client would write it. */
function written(filter: Filter): string {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return filter.parts.map((part) => `(${written(part)})`).join(` ${filter.kind} `);
    case 'not':
      return `not (${written(filter.inner)})`;
    case 'present':
      return `${nameOf(filter.path)} pr`;
    case 'some':
      return `${nameOf(filter.path)}[${written(filter.inner)}]`;
    case 'compare':
      return `${nameOf(filter.path)} ${filter.operator} ${JSON.stringify(filter.value)}`;
  }
}

function nameOf({ extension, attribute, sub }: AttributePath): string {
  return `${extension === undefined ? '' : `${extension}:`}${attribute.name}${sub ? `.${sub.name}` : ''}`;
}

describe('a filter that is written down', () => {
  const leaf = fc.tuple(
    fc.constantFrom(
      'userName',
      'name.givenName',
      'emails.value',
      'emails',
      'title',
      `${ENTERPRISE_SCHEMA}:department`,
    ),
    fc.constantFrom('eq', 'ne', 'co', 'sw', 'ew', 'gt', 'le'),
    fc.string({ maxLength: 8 }).filter((text) => !text.includes('\0') && text.isWellFormed()),
  );
  const leaves = leaf.map(([name, operator, value]) =>
    parseFilter(USER_TYPE, `${name} ${operator} ${JSON.stringify(value)}`),
  );
  const { tree } = fc.letrec<{ tree: Filter }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      leaves,
      fc.record({
        kind: fc.constantFrom('and' as const, 'or' as const),
        parts: fc.array(tie('tree'), { minLength: 2, maxLength: 3 }),
      }),
      fc.record({ kind: fc.constant('not' as const), inner: tie('tree') }),
    ),
  }));

  it('is read as what it was', () => {
    fc.assert(
      fc.property(tree, (filter) => {
        expect(parseFilter(USER_TYPE, written(filter))).toEqual(filter);
      }),
    );
  });

  it('and its opposite never both fit', () => {
    fc.assert(
      fc.property(tree, (filter) => {
        expect(fits({ kind: 'not', inner: filter }, BARBARA)).toBe(!fits(filter, BARBARA));
      }),
    );
  });
});
