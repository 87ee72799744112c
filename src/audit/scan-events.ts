import type pg from 'pg';
import { parseEvent } from './audit-event.js';
import type { TimeRange } from './postings.js';
import { matches, type EventFilter } from './search-terms.js';

/** A row that was found. */
export interface FoundRow {
  readonly seq: string;
  readonly event: Buffer;
  readonly chain_hash: Buffer;
}

/** Whose events, and where they are: a log in the database, or a range of it that was loaded from cold storage. */
export interface EventSource {
  readonly pool: Pick<pg.Pool, 'query'>;
  readonly table: 'events' | 'restored';
  /** Id of the tenant, or of the restore. */
  readonly owner: string;
}

/** Numbers to look at: from one to another, both included, or these. */
export type Numbers = { readonly first: number; readonly last: number } | readonly number[];

const OWNER = { events: 'tenant', restored: 'restore' } as const;
const BACKSLASH = Buffer.from('\\');

/** Looks at events one by one: those that are as asked for, the newest first, up to a limit. */
export async function scanEvents(
  source: EventSource,
  numbers: Numbers,
  filter: EventFilter & TimeRange,
  limit: number,
): Promise<FoundRow[]> {
  const found: FoundRow[] = [];
  for (let rest: Numbers | undefined = numbers; rest && found.length < limit;) {
    const wanted = limit - found.length;
    const rows: FoundRow[] = await select(source, rest, filter, wanted);
    found.push(...rows.filter(({ event }) => matches(parseEvent(event), filter)));
    const lowest = rows.at(-1);
    rest = rows.length < wanted || !lowest ? undefined : below(rest, Number(lowest.seq));
  }
  return found;
}

async function select(
  { pool, table, owner }: EventSource,
  numbers: Numbers,
  filter: EventFilter & TimeRange,
  limit: number,
): Promise<FoundRow[]> {
  const values: unknown[] = [owner];
  const given = (value: unknown): string => `$${values.push(value)}`;
  const conditions = [`${OWNER[table]} = $1`];
  if ('first' in numbers) conditions.push(`seq BETWEEN ${given(numbers.first)} AND ${given(numbers.last)}`);
  else conditions.push(`seq = ANY(${given(numbers)}::bigint[])`);
  if (filter.since !== undefined) conditions.push(`at >= ${given(filter.since)}::timestamptz`);
  if (filter.until !== undefined) conditions.push(`at < ${given(filter.until)}::timestamptz`);
  if (filter.action !== undefined) conditions.push(`action = ${given(filter.action)}`);
  if (filter.actor !== undefined) conditions.push(`actor = ${given(filter.actor)}`);
  // These stand in the event alone. Its JSON has a string as it is, or with a backslash in it.
  for (const value of [filter.requestId, filter.resourceId, filter.resourceType, filter.outcome])
    if (value !== undefined)
      conditions.push(
        `(position(${given(Buffer.from(value))} in event) > 0 OR position(${given(BACKSLASH)} in event) > 0)`,
      );
  const { rows } = await pool.query<FoundRow>(
    `SELECT seq, event, chain_hash FROM audit.${table} WHERE ${conditions.join(' AND ')}
     ORDER BY seq DESC LIMIT ${given(limit)}`,
    values,
  );
  return rows;
}

function below(numbers: Numbers, seq: number): Numbers | undefined {
  if (!('first' in numbers)) return numbers.filter((number) => number < seq);
  return numbers.first < seq ? { first: numbers.first, last: seq - 1 } : undefined;
}
