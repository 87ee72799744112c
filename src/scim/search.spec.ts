import { describe, expect, it } from 'vitest';
import { textIn, type Fields } from './protocol/evaluate-filter.js';
import { parseFilter } from './protocol/parse-filter.js';
import { parsePath } from './protocol/patch-request.js';
import { USER_TYPE } from './protocol/resource-types.js';
import { ScimError } from './protocol/scim.errors.js';
import { Values } from './narrowed.js';
import type { ListQuery } from './list-query.js';
import { BOUNDS, search, type Source } from './search.js';

interface Row {
  readonly id: string;
  readonly number: number;
}

/** People of whom nothing is known but by opening them. */
class People {
  running = 0;
  began = 0;
  readonly rows: readonly Row[];

  constructor(count: number) {
    this.rows = Array.from({ length: count }, (_one, number) => ({
      id: `01890000-0000-7000-8000-${String(number).padStart(12, '0')}`,
      number,
    }));
  }

  readonly source: Source<Row> = {
    type: USER_TYPE,
    apart: 'groups',
    orders: { id: 's.id' },
    condition: () => Promise.resolve(undefined),
    count: () => Promise.resolve(this.rows.length),
    select: ({ where, after, limit }) => {
      const values = new Values();
      where?.write(values);
      const [ids] = values.list as [readonly string[] | undefined];
      const from = after === undefined ? 0 : this.rows.findIndex(({ id }) => id === after) + 1;
      const rows = ids ? this.rows.filter(({ id }) => ids.includes(id)) : this.rows.slice(from);
      return Promise.resolve(rows.slice(0, limit));
    },
    open: (rows) => Promise.resolve(rows.map((row) => ({ id: row.id, resource: resourceOf(row) }))),
    long: () => {
      this.running += 1;
      this.began += 1;
      return () => (this.running -= 1);
    },
  };
}

/** In another order by name than by making. */
function resourceOf({ id, number }: Row): Fields {
  const userName = `p${String((number * 7_919) % 100_003).padStart(6, '0')}`;
  return { id, userName, ...(number % 2 === 0 && { title: 'Guide' }) };
}

const COUNT = 12_000;
const query = (more: Partial<ListQuery>): ListQuery => ({
  descending: false,
  startIndex: 1,
  count: 3,
  wanted: { attributes: ['userName'] },
  ...more,
});
const filtered = (text: string): Partial<ListQuery> => ({ filter: parseFilter(USER_TYPE, text) });
const sortBy = parsePath(USER_TYPE, 'userName') as NonNullable<ListQuery['sortBy']>;

describe('a search that has to look at everybody', () => {
  it.each([
    ['title pr', COUNT / 2],
    ['userName ne "p000000"', COUNT - 1],
    ['userName sw "p"', COUNT],
    ['userName ew "7"', undefined],
    ['userName co "00"', undefined],
  ])('counts and answers all of twelve thousand: %s', async (text, expected) => {
    const people = new People(COUNT);
    const filter = parseFilter(USER_TYPE, text);
    const found = await search(people.source, query({ filter, startIndex: 101 }));
    const fitting = people.rows
      .map(resourceOf)
      .filter((one) =>
        text.startsWith('title') ? one['title'] !== undefined : matches(text, textIn(one, 'userName')),
      );
    expect(found.total).toBe(expected ?? fitting.length);
    expect(found.resources.map(({ id }) => id)).toEqual(fitting.slice(100, 103).map(({ id }) => id));
    expect(people).toMatchObject({ began: 1, running: 0 });
  });

  it.each([false, true])('sorts twelve thousand, descending: %s', async (descending) => {
    const people = new People(COUNT);
    const found = await search(people.source, query({ sortBy, descending, startIndex: 5_001 }));
    const names = people.rows.map((row) => textIn(resourceOf(row), 'userName')).toSorted();
    const inOrder = descending ? names.toReversed() : names;
    expect(found.total).toBe(COUNT);
    expect(found.resources.map(({ userName }) => userName)).toEqual(inOrder.slice(5_000, 5_003));
  });

  it('ends at its bounds, of number, of time and of what is sorted by', async () => {
    const people = new People(COUNT);
    const refused = (more: Partial<ListQuery>, bounds: Partial<typeof BOUNDS>) =>
      search(people.source, query(more), { ...BOUNDS, ...bounds }).then(
        () => 'answered',
        (error: unknown) => (error instanceof ScimError ? error.scimType : error),
      );
    expect(await refused(filtered('title pr'), { lookedAt: 11_500 })).toBe('tooMany');
    expect(await refused(filtered('title pr'), { milliseconds: 0 })).toBe('tooMany');
    expect(await refused({ sortBy }, { sortedCharacters: 50_000 })).toBe('tooMany');
    expect(await refused(filtered('title pr'), {})).toBe('answered');
    expect(people.running).toBe(0);
  });

  it('of few is nobody’s burden', async () => {
    const people = new People(4_000);
    await search(people.source, query(filtered('title pr')));
    expect(people.began).toBe(0);
  });
});

function matches(text: string, userName: string): boolean {
  const [, operator, value = ''] = /^userName (\w+) "(.*)"$/.exec(text) ?? [];
  if (operator === 'ne') return userName !== value;
  if (operator === 'sw') return userName.startsWith(value);
  return operator === 'ew' ? userName.endsWith(value) : userName.includes(value);
}
