import { StatementRefused } from './statement-refused.js';
import { numberOf } from './statement-numbers.js';
import type { TenantId } from './tenant-id.js';
import { UNNAMED, type RowShapes, type StatementName } from './tenant-query.js';

/** The server takes the first 63 characters for the name, of which the tenant has 19: two longer ones could be one. */
const NAME = /^\w{1,40}$/;
/** A named plan costs 23 KB in the backend (measured); 256 of them 6 MB a connection. */
const NAMED_STATEMENTS = 256;
/** From this use on, on one connection for one tenant, an unnamed statement gets a name. As in psycopg and pgjdbc. */
const NAMED_FROM_USE = 5;

interface Statement {
  readonly name?: string | undefined;
  readonly text: string;
  readonly values?: unknown[] | undefined;
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
  of(tenant: TenantId, { name: own, text, values }: Statement, uses: number, anew = false): StatementName {
    if (own !== undefined && !NAME.test(own))
      throw new StatementRefused('A statement is named by up to 40 letters, digits and underscores.');
    const often = uses >= NAMED_FROM_USE && values !== undefined && values.length > 0;
    if (!this.shapes || (own === undefined && !often)) return UNNAMED;
    const name = `${tenant}:${own ?? `#${numberOf(text)}`}`;
    const known = this.#used.delete(name);
    this.#used.set(name, true);
    if (known && !anew) return { name, retired: [] };
    const retired = anew ? [name] : [];
    const oldest = this.#used.size > NAMED_STATEMENTS ? this.#used.keys().next().value : undefined;
    if (oldest !== undefined) {
      this.#used.delete(oldest);
      retired.push(oldest);
    }
    for (const unknown of retired) this.shapes.delete(unknown);
    return { name, retired };
  }
}
