import type { Found, ListQuery } from './list-query.js';
import { looksAt, UUID, type Condition } from './narrowed.js';
import { fits, type Fields } from './protocol/evaluate-filter.js';
import type { AttributePath, Filter } from './protocol/filter.js';
import { isWanted, project } from './protocol/project.js';
import type { ResourceType } from './protocol/schema.js';
import { ScimError } from './protocol/scim.errors.js';
import { sorted, sortKey, type SortKey } from './protocol/sort.js';

/** So many resources are opened at once. */
const AT_ONCE = 500;
/** So many are looked at without more ado; more by few searches of an organisation at a time. */
const SHORT = 5_000;

/** How much is done at most to answer one question. */
export interface Bounds {
  readonly lookedAt: number;
  readonly milliseconds: number;
  /** Of the values by which resources are sorted, all together. */
  readonly sortedCharacters: number;
}

export const BOUNDS: Bounds = { lookedAt: 100_000, milliseconds: 10_000, sortedCharacters: 16_777_216 };

/** Which rows, and in which order. */
export interface Selected {
  readonly where?: Condition | undefined;
  readonly order?: string;
  readonly limit: number;
  readonly offset?: number;
  readonly after?: string | undefined;
  /** What is read apart, with it: of few rows, as conditions with a name find. */
  readonly withApart?: boolean;
}

export interface Opened {
  readonly id: string;
  readonly resource: Fields;
}

/** Resources of one type, of one directory. */
export interface Source<Row extends { readonly id: string }> {
  readonly type: ResourceType;
  /** The attribute that is read apart, where it is wanted. */
  readonly apart: string;
  /** What SQL can order by. */
  readonly orders: Readonly<Record<string, string>>;
  readonly condition: (filter: Filter) => Promise<Condition | undefined>;
  readonly count: (where: Condition | undefined) => Promise<number>;
  readonly select: (selected: Selected) => Promise<Row[]>;
  /** In the same order. */
  readonly open: (rows: readonly Row[], withApart: boolean) => Promise<Opened[]>;
  /** Asked before very many are looked at. @returns what ends that @throws {SearchesBusy} */
  readonly long: () => () => void;
}

interface Search<Row extends { readonly id: string }> {
  readonly source: Source<Row>;
  readonly query: ListQuery;
  readonly where: Condition | undefined;
  readonly toldBySql: boolean;
  readonly withApart: boolean;
  readonly bounds: Bounds;
}

/**
 * Finds resources. SQL narrows them down as far as it can; what it cannot tell is looked at one by one, as what is said of
 * people is sealed, and within bounds.
 * @throws {ScimError | SearchesBusy} `tooMany`
 */
export async function search<Row extends { readonly id: string }>(
  source: Source<Row>,
  query: ListQuery,
  bounds: Bounds = BOUNDS,
): Promise<Found> {
  const where = query.filter && (await source.condition(query.filter));
  const under: Search<Row> = {
    source,
    query,
    where,
    toldBySql: query.filter === undefined || where?.exact === true,
    withApart: isWanted(source.type, source.apart, query.wanted),
    bounds,
  };
  const found = query.cursor === undefined ? await byIndex(under) : await byCursor(under);
  return { ...found, resources: found.resources.map((one) => project(source.type, one, query.wanted)) };
}

async function byIndex<Row extends { readonly id: string }>(under: Search<Row>): Promise<Found> {
  const { source, where, query, toldBySql, withApart } = under;
  const { startIndex, count, sortBy, descending } = query;
  const first = startIndex - 1;
  const order = sortBy ? source.orders[nameOf(sortBy)] : 's.id';
  if (toldBySql && order !== undefined) {
    const total = await source.count(where);
    if (count === 0 || first >= total) return { resources: [], total };
    const rows = await source.select({
      where,
      order: `${order} ${sortBy && descending ? 'DESC' : 'ASC'}, s.id`,
      limit: count,
      offset: first,
    });
    return { resources: resourcesOf(await source.open(rows, withApart)), total };
  }
  return sortBy ? inOrder(under, sortBy) : inTheOrderOfMaking(under);
}

async function inTheOrderOfMaking<Row extends { readonly id: string }>(under: Search<Row>): Promise<Found> {
  const { startIndex, count } = under.query;
  const first = startIndex - 1;
  const chosen: Fitting<Row>[] = [];
  let total = 0;
  await lookAtAll(under, (fitting) => {
    chosen.push(...fitting.slice(Math.max(0, first - total), Math.max(0, first + count - total)));
    total += fitting.length;
  });
  return { resources: resourcesOf(await whole(under, chosen)), total };
}

/** Of all only what they are sorted by is kept; those that are answered are read once more. */
async function inOrder<Row extends { readonly id: string }>(
  under: Search<Row>,
  sortBy: AttributePath,
): Promise<Found> {
  const { source, query, withApart, bounds } = under;
  const { startIndex, count, descending } = query;
  const keyed: { id: string; key: SortKey }[] = [];
  let characters = 0;
  await lookAtAll(under, (fitting) => {
    for (const { opened } of fitting) {
      const key = sortKey(sortBy, opened.resource);
      characters += typeof key === 'string' ? key.length : 0;
      keyed.push({ id: opened.id, key });
    }
    if (characters > bounds.sortedCharacters) throw tooMany(bounds);
  });
  const ids = sorted(keyed, descending)
    .slice(startIndex - 1, startIndex - 1 + count)
    .map(({ id }) => id);
  if (ids.length === 0) return { resources: [], total: keyed.length };
  const rows = await source.select({
    where: { write: (values) => `s.id = ANY (${values.add(ids)}::uuid[])`, exact: true },
    limit: ids.length,
  });
  const byId = new Map((await source.open(rows, withApart)).map((one) => [one.id, one]));
  const there = ids.map((id) => byId.get(id)).filter((one) => one !== undefined);
  return { resources: resourcesOf(there), total: keyed.length };
}

/** @throws {ScimError | SearchesBusy} `tooMany` where there are more than can be looked at, or it takes too long */
async function lookAtAll<Row extends { readonly id: string }>(
  under: Search<Row>,
  take: (fitting: readonly Fitting<Row>[]) => void,
): Promise<void> {
  const { source, bounds } = under;
  const until = performance.now() + bounds.milliseconds;
  let ended: (() => void) | undefined;
  try {
    let after: string | undefined;
    for (let looked = AT_ONCE; ; looked += AT_ONCE) {
      const batch = await some(under, after);
      take(batch.fitting);
      after = batch.last;
      if (after === undefined) return;
      if (looked >= bounds.lookedAt || performance.now() > until) throw tooMany(bounds);
      if (looked >= SHORT) ended ??= source.long();
    }
  } finally {
    ended?.();
  }
}

function tooMany({ lookedAt, milliseconds }: Bounds): ScimError {
  return new ScimError(
    'tooMany',
    `It takes looking at more than ${lookedAt}, or for more than ${milliseconds / 1_000} seconds. Ask by id, userName, externalId or an e-mail address, or use "cursor".`,
  );
}

/** A page goes on until it is full, or very many were looked at: then it has fewer, and the next goes on from there. */
async function byCursor<Row extends { readonly id: string }>(under: Search<Row>): Promise<Found> {
  const { count, cursor = '' } = under.query;
  let after = afterCursor(cursor);
  if (count === 0) return { resources: [] };
  const found: Fitting<Row>[] = [];
  for (let looked = 0; looked < SHORT; looked += AT_ONCE) {
    const batch = await some(under, after);
    const room = count - found.length;
    found.push(...batch.fitting.slice(0, room));
    if (batch.fitting.length > room) return page(await whole(under, found), found.at(-1)?.row.id);
    after = batch.last;
    if (after === undefined) return page(await whole(under, found), undefined);
  }
  return page(await whole(under, found), after);
}

/** One that fits; `complete` where what is read apart was. */
interface Fitting<Row> {
  readonly row: Row;
  readonly opened: Opened;
  readonly complete: boolean;
}

/** Some of those whom SQL lets through, in the order of their making; `last` where there may be others. */
async function some<Row extends { readonly id: string }>(
  { source, where, query: { filter }, withApart }: Search<Row>,
  after: string | undefined,
): Promise<{ readonly fitting: Fitting<Row>[]; readonly last: string | undefined }> {
  const looks = filter !== undefined && looksAt(filter, source.apart);
  // What is read apart may be large: it is read of those that fit, but where there are few, as of most who are asked for.
  const along = withApart && where?.name !== undefined;
  const rows = await selected(source, where, { after, limit: AT_ONCE, withApart: along });
  const complete = looks || along || (withApart && rows.length === 1);
  const opened = await source.open(rows, complete);
  const all = opened.flatMap((one, at) => {
    const row = rows[at];
    return row && (!filter || fits(filter, one.resource)) ? [{ row, opened: one, complete }] : [];
  });
  return { fitting: all, last: rows.length === AT_ONCE ? rows.at(-1)?.id : undefined };
}

async function selected<Row extends { readonly id: string }>(
  source: Source<Row>,
  where: Condition | undefined,
  which: Selected,
): Promise<Row[]> {
  const rows = await source.select({ where, ...which });
  const now = rows.length === 0 ? await where?.anew?.() : undefined;
  return now ? source.select({ where: now, ...which }) : rows;
}

/** Those that are answered, with what is read apart where it is wanted. */
async function whole<Row extends { readonly id: string }>(
  { source, withApart }: Search<Row>,
  found: readonly Fitting<Row>[],
): Promise<Opened[]> {
  if (!withApart || found.every(({ complete }) => complete)) return found.map(({ opened }) => opened);
  return source.open(
    found.map(({ row }) => row),
    true,
  );
}

function page(found: readonly Opened[], after: string | undefined): Found {
  return {
    resources: resourcesOf(found),
    ...(after !== undefined && { nextCursor: Buffer.from(after).toString('base64url') }),
  };
}

function resourcesOf(found: readonly Opened[]): Fields[] {
  return found.map(({ resource }) => resource);
}

/** The first page's cursor is empty. */
function afterCursor(cursor: string): string | undefined {
  if (cursor === '') return undefined;
  const id = Buffer.from(cursor, 'base64url').toString('utf8');
  if (!UUID.test(id)) throw new ScimError('invalidCursor', '"cursor" must be nextCursor of the page before.');
  return id;
}

function nameOf({ extension, attribute, sub }: AttributePath): string {
  const name = sub ? `${attribute.name}.${sub.name}` : attribute.name;
  return extension === undefined ? name : `${extension}:${name}`;
}
