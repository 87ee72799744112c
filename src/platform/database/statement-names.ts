import type pg from 'pg';
import { StatementRefused } from './statement-refused.js';
import { numberOf } from './statement-numbers.js';
import type { TenantId } from './tenant-id.js';
import type { RowShapes } from './tenant-query.js';

/** The server takes the first 63 characters for the name, of which the tenant has 19: two longer ones could be one. */
const NAME = /^\w{1,40}$/;
/** A named plan costs 23 KB in the backend (measured); 256 of them 6 MB a connection. */
const NAMED_STATEMENTS = 256;
/** From this use on, on one connection for one tenant, an unnamed statement gets a name. As in psycopg and pgjdbc. */
const NAMED_FROM_USE = 5;

/** A statement as it is sent. */
export interface NamedStatement {
  readonly statement: pg.QueryConfig;
  /** Names of statements of this connection to be closed in the same flush. */
  readonly retired: readonly string[];
}

/**
 * The prepared statements of one connection. A plan is bound to the tables that it was parsed for, and with them to its
 * tenant: the name carries the tenant. Beyond the cap the least recently used one is closed.
 */
export class StatementNames {
  /** By name; undefined where nothing has a name, as behind a pooler in transaction mode. */
  readonly shapes: RowShapes | undefined;
  readonly #used = new Map<string, true>();

  constructor(named: boolean) {
    this.shapes = named ? new Map() : undefined;
  }

  /**
   * @param uses how often this connection was given the statement for this tenant
   * @param anew whether it is to be parsed again, as what the server has of it is of no use
   */
  of(tenant: TenantId, config: pg.QueryConfig, uses: number, anew = false): NamedStatement {
    const { name: own, text, values } = config;
    if (own !== undefined && !NAME.test(own))
      throw new StatementRefused('A statement is named by up to 40 letters, digits and underscores.');
    const often = uses >= NAMED_FROM_USE && values !== undefined && values.length > 0;
    if (!this.shapes || (own === undefined && !often))
      return { statement: { ...config, name: undefined }, retired: [] };
    const name = `${tenant}:${own ?? `#${numberOf(text)}`}`;
    const retired = anew ? [name] : [];
    if (anew) this.shapes.delete(name);
    this.#used.delete(name);
    const oldest = this.#used.size < NAMED_STATEMENTS ? undefined : this.#used.keys().next().value;
    if (oldest !== undefined) {
      this.#used.delete(oldest);
      this.shapes.delete(oldest);
      retired.push(oldest);
    }
    this.#used.set(name, true);
    return { statement: { ...config, name }, retired };
  }
}
