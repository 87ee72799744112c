import * as cedar from '@cedar-policy/cedar-wasm/nodejs';
import { expect, it } from 'vitest';
import { checkPolicies } from './check-policies.js';
import { DEEPEST, MOST_OPERATORS, tooIntricate } from './intricacy.js';

const policy = (condition: string): string =>
  `@id("a") forbid (principal, action, resource) when { ${condition} };`;
/** In whichever way a text can be made deep or long. */
const FORMS: Readonly<Record<string, (times: number) => string>> = {
  brackets: (times) => policy(`${'('.repeat(times)}context.weekday == 1${')'.repeat(times)}`),
  sets: (times) => policy(`${'['.repeat(times)}1${']'.repeat(times)} == [1]`),
  records: (times) => policy(`${'{"a":'.repeat(times)}1${'}'.repeat(times)} == {"a": 1}`),
  choices: (times) => policy(`${'if true then '.repeat(times)}true${' else false'.repeat(times)}`),
  conjunctions: (times) => policy(Array(times).fill('true').join('&&')),
  disjunctions: (times) => policy(Array(times).fill('true').join('||')),
  sums: (times) => policy(`${Array(times).fill('1').join('+')} == 1`),
  members: (times) => policy(`resource${'.a'.repeat(times)} == 1`),
  clauses: (times) =>
    `@id("a") forbid (principal, action, resource) ${Array(times).fill('when { true }').join(' ')};`,
  negations: (times) => policy(`${'!'.repeat(times)}true`),
};

it.each(Object.entries(FORMS))('%s without end are refused before Cedar reads them', (_form, of) => {
  for (const times of [400, 5_000])
    expect(tooIntricate(of(times))?.message).toMatch(/nested|operators|longer/);
  const unfinished = of(400).replace(/;$/, '');
  expect(tooIntricate(unfinished)).toBeDefined();
  // Nothing was broken: an ordinary text is checked as ever.
  expect(checkPolicies(of(5_000))).toHaveLength(1);
  expect(checkPolicies(policy('context.weekday == 1'))).toEqual([]);
});

it('what looks intricate inside of a text or a remark is none', () => {
  const brackets = '('.repeat(200);
  expect(tooIntricate(policy(`resource.tags.contains("${brackets}\\"${brackets}")`))).toBeUndefined();
  expect(tooIntricate(`// ${brackets}\n${policy('true')}`)).toBeUndefined();
});

it('a text does not hide behind quotes and remarks', () => {
  const deep = '('.repeat(200);
  for (const text of [
    `"" ${deep}`,
    `"\\"" ${deep}`,
    `"\\\\" ${deep}`,
    `// "\n${deep}`,
    `// \r${deep}`,
    `"// " ${deep}`,
  ])
    expect(tooIntricate(policy(text)), text.slice(0, 12)).toBeDefined();
});

it('the most that is let through is read and evaluated by Cedar', () => {
  const most: Readonly<Record<string, number>> = {
    negations: 3,
    brackets: DEEPEST - 2,
    sets: DEEPEST - 2,
    records: DEEPEST - 2,
  };
  for (const [form, of] of Object.entries(FORMS)) {
    let times = most[form] ?? MOST_OPERATORS;
    while (tooIntricate(of(times))) times -= 1;
    const text = of(times);
    expect(cedar.policySetTextToParts(text).type, form).toBe('success');
    expect(() => checkPolicies(text), form).not.toThrow();
    const asked = {
      principal: { type: 'User', id: 'u' },
      action: { type: 'Action', id: 'a' },
      context: { weekday: 1 },
      policies: { staticPolicies: { a: text } },
      entities: [],
    };
    expect(cedar.isAuthorized({ ...asked, resource: { type: 'Agent', id: 'a' } }).type, form).toBe('success');
    expect(cedar.isAuthorizedPartial({ ...asked, resource: null }).type, form).toBe('residuals');
  }
});
