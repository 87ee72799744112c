import type { Found, ListQuery } from './list-query.js';
import { looksAt, UUID, type Condition } from './narrowed.js';
import { fits, type Fields } from './protocol/evaluate-filter.js';
import type { AttributePath, Filter } from './protocol/filter.js';
import { isWanted, project } from './protocol/project.js';
import type { ResourceType } from './protocol/schema.js';
import { ScimError } from './protocol/scim.errors.js';
import { sorted } from './protocol/sort.js';

/** So many resources are opened at most to answer one question, and so many at once. */
export const MOST_LOOKED_AT = 5_000;
const AT_ONCE = 500;

/** Which rows, and in which order. */
export interface Selected {
  readonly where?: Condition | undefined;
  readonly order?: string;
  readonly limit: number;
  readonly offset?: number;
  readonly after?: string | undefined;
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
  readonly open: (rows: readonly Row[], withApart: boolean) => Promise<Opened[]>;
}

interface Search<Row extends { readonly id: string }> {
  readonly source: Source<Row>;
  readonly query: ListQuery;
  readonly where: Condition | undefined;
  readonly toldBySql: boolean;
  readonly withApart: boolean;
}

/**
 * Finds resources. SQL narrows them down as far as it can; what it cannot tell is looked at one by one, as what is said of
 * people is sealed, and with a bound.
 * @throws {ScimError} `tooMany`
 */
export async function search<Row extends { readonly id: string }>(
  source: Source<Row>,
  query: ListQuery,
): Promise<Found> {
  const where = query.filter && (await source.condition(query.filter));
  const under: Search<Row> = {
    source,
    query,
    where,
    toldBySql: query.filter === undefined || where?.exact === true,
    withApart: isWanted(source.type, source.apart, query.wanted),
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
  const all = await everything(under);
  const ordered = sortBy ? sorted(all, sortBy, descending) : all;
  return { resources: resourcesOf(ordered.slice(first, first + count)), total: all.length };
}

async function everything<Row extends { readonly id: string }>(under: Search<Row>): Promise<Opened[]> {
  const all: Opened[] = [];
  let after: string | undefined;
  for (let looked = 0; looked < MOST_LOOKED_AT; looked += AT_ONCE) {
    const batch = await some(under, after);
    all.push(...batch.fitting);
    after = batch.last;
    if (after === undefined) return all;
  }
  throw new ScimError(
    'tooMany',
    `More than ${MOST_LOOKED_AT} would have to be looked at. Ask by id, userName, externalId or an e-mail address, or use "cursor".`,
  );
}

/** A page goes on until it is full, or very many were looked at: then it has fewer, and the next goes on from there. */
async function byCursor<Row extends { readonly id: string }>(under: Search<Row>): Promise<Found> {
  const { count, cursor = '' } = under.query;
  let after = afterCursor(cursor);
  if (count === 0) return { resources: [] };
  const found: Opened[] = [];
  for (let looked = 0; looked < MOST_LOOKED_AT; looked += AT_ONCE) {
    const batch = await some(under, after);
    const room = count - found.length;
    found.push(...batch.fitting.slice(0, room));
    if (batch.fitting.length > room) return page(found, found.at(-1)?.id);
    after = batch.last;
    if (after === undefined) return page(found, undefined);
  }
  return page(found, after);
}

/** Some of those whom SQL lets through, in the order of their making; `last` where there may be others. */
async function some<Row extends { readonly id: string }>(
  { source, where, query: { filter }, withApart }: Search<Row>,
  after: string | undefined,
): Promise<{ readonly fitting: Opened[]; readonly last: string | undefined }> {
  const rows = await source.select({ where, after, limit: AT_ONCE });
  const needed = withApart || (filter !== undefined && looksAt(filter, source.apart));
  const opened = await source.open(rows, needed);
  return {
    fitting: filter ? opened.filter(({ resource }) => fits(filter, resource)) : opened,
    last: rows.length === AT_ONCE ? rows.at(-1)?.id : undefined,
  };
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
