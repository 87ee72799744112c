import { currentRequest } from '../platform/http/request-context.js';
import type { Condition, RowKind } from './condition.js';

/** A condition in SQL with its parameters by name, for a query builder. */
export interface RowFilter {
  readonly sql: string;
  readonly parameters: Readonly<Record<string, unknown>>;
}

const EVERYTHING: RowFilter = { sql: 'TRUE', parameters: {} };

/** How a row is asked, under the alias of its kind. An agent is labelled as it says itself, and as its project says for it. */
interface Columns {
  readonly project: (id: string) => string;
  readonly agent: (id: string) => string;
  readonly environment: string;
  readonly tags: string;
}

const NO_ROW = (): string => 'FALSE';
const COLUMNS: Readonly<Record<RowKind, Columns>> = {
  project: {
    project: (id) => `project.id = ${id}`,
    agent: NO_ROW,
    environment: 'project.environment',
    tags: 'project.tags',
  },
  agent: {
    project: (id) => `agent.project_id = ${id}`,
    agent: (id) => `agent.id = ${id}`,
    environment:
      'COALESCE(agent.environment, (SELECT p.environment FROM projects p WHERE p.id = agent.project_id))',
    tags: '(agent.tags || (SELECT p.tags FROM projects p WHERE p.id = agent.project_id))',
  },
  run: {
    project: (id) => `run.agent_id IN (SELECT a.id FROM agents a WHERE a.project_id = ${id})`,
    agent: (id) => `run.agent_id = ${id}`,
    environment:
      '(SELECT COALESCE(a.environment, p.environment) FROM agents a JOIN projects p ON p.id = a.project_id WHERE a.id = run.agent_id)',
    tags: '(SELECT a.tags || p.tags FROM agents a JOIN projects p ON p.id = a.project_id WHERE a.id = run.agent_id)',
  },
};

/** Which rows of the list that is being served its caller may read. */
export function readableRows(kind: RowKind): RowFilter {
  const readable = currentRequest()?.readable as { kind: RowKind; condition: Condition } | undefined;
  if (readable?.kind !== kind)
    throw new Error(
      `Nobody has decided which ${kind}s may be read: the route's @Endpoint says on: { rows }.`,
    );
  return rowFilter(readable.condition, kind);
}

export function rowFilter(condition: Condition, kind: RowKind): RowFilter {
  if (condition === true) return EVERYTHING;
  const writer = new Writer(COLUMNS[kind]);
  return { sql: writer.sql(condition), parameters: writer.parameters };
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Every condition is true or false of a row and never unknown, so that NOT is what it says. */
class Writer {
  readonly parameters: Record<string, unknown> = {};
  #count = 0;

  constructor(private readonly columns: Columns) {}

  sql(condition: Condition): string {
    if (typeof condition === 'boolean') return condition ? 'TRUE' : 'FALSE';
    if ('all' in condition) return this.#joined(condition.all, 'AND');
    if ('any' in condition) return this.#joined(condition.any, 'OR');
    if ('not' in condition) return `NOT ${this.sql(condition.not)}`;
    if ('within' in condition) return this.#entity(condition.within);
    if ('is' in condition) return this.#entity(condition.is);
    if ('environment' in condition) return this.#environment(condition.environment);
    return this.#tags(condition.tags);
  }

  #joined(conditions: readonly Condition[], word: string): string {
    return `(${conditions.map((one) => this.sql(one)).join(` ${word} `)})`;
  }

  #entity({ type, id }: { type: 'Project' | 'Agent'; id: string }): string {
    if (!UUID.test(id)) return 'FALSE';
    const value = `CAST(${this.#parameter(id)} AS uuid)`;
    return `(${type === 'Project' ? this.columns.project(value) : this.columns.agent(value)})`;
  }

  #environment(wanted: Extract<Condition, { environment: unknown }>['environment']): string {
    const { environment } = this.columns;
    if (wanted === 'any') return `(${environment} IS NOT NULL)`;
    const test =
      'like' in wanted
        ? `${environment} LIKE ${this.#parameter(wanted.like)}`
        : `${environment} = ANY (CAST(${this.#parameter(wanted.oneOf)} AS text[]))`;
    return `COALESCE(${test}, FALSE)`;
  }

  #tags(wanted: Extract<Condition, { tags: unknown }>['tags']): string {
    const { tags } = this.columns;
    if (wanted === 'none') return `(cardinality(${tags}) = 0)`;
    return 'all' in wanted
      ? `(${tags} @> CAST(${this.#parameter(wanted.all)} AS text[]))`
      : `(${tags} && CAST(${this.#parameter(wanted.any)} AS text[]))`;
  }

  #parameter(value: unknown): string {
    const name = `readable_${(this.#count += 1)}`;
    this.parameters[name] = value;
    return `:${name}`;
  }
}
