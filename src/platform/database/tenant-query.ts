import pg from 'pg';
import type { TenantId } from './tenant-id.js';

/**
 * The parts of pg's connection and query that a pipelined statement needs. pg does not type them; the driver contract
 * test (`test/integration/tenant-driver.int.ts`) holds them against the pinned version.
 */
export interface WireConnection {
  parsedStatements: Record<string, string>;
  parse(message: { name: string; text: string; types?: number[] }): void;
  bind(message: { portal: string; statement: string; values: unknown[] }): void;
  execute(message: { portal: string; rows?: number }): void;
  close(message: { type: 'S'; name: string }): void;
  describe(message: { type: 'P'; name: string }): void;
}

/** What pg makes of a row description: the same for every execution of a prepared statement. */
interface RowShape {
  fields: unknown[];
  _parsers: unknown[];
  _prebuiltEmptyResultObject: object;
}

/** The row shapes of one connection's named statements. */
export type RowShapes = Map<string, RowShape>;

type QueryCallback = (error: Error | null, result?: pg.QueryResult) => void;
interface WireQuery {
  prepare(connection: WireConnection): void;
  submit(connection: WireConnection): Error | null;
  handleError(error: Error, connection: WireConnection): void;
  handleDataRow(message: unknown): void;
  handleCommandComplete(message: unknown, connection: WireConnection): void;
  handleRowDescription(message: unknown): void;
  readonly _result: RowShape;
  _accumulateRows: boolean;
}

const WireQueryBase = pg.Query as unknown as new (
  text: string,
  values: unknown[] | undefined,
  callback?: QueryCallback,
) => WireQuery & { callback?: QueryCallback; name?: string; text: string; requiresPreparation(): boolean };

/** What a statement is called on its connection, if it has a name, and which names are closed in the same flush. */
export interface StatementName {
  readonly name: string | undefined;
  readonly retired: readonly string[];
}

export const UNNAMED: StatementName = { name: undefined, retired: [] };

/** A statement inside a transaction: the extended protocol always, which takes one statement a message. */
export class ExtendedQuery extends WireQueryBase {
  /** Why it never left this process, if it did not: the server then has nothing to refuse. */
  unsent: Error | undefined;
  readonly #retired: readonly string[];
  #submitting = false;

  constructor(
    text: string,
    values: unknown[] | undefined,
    callback: QueryCallback | undefined,
    { name, retired }: StatementName = UNNAMED,
  ) {
    super(text, values, callback);
    // Not as part of a configuration, which pg would copy first.
    if (name !== undefined) this.name = name;
    this.#retired = retired;
  }

  override requiresPreparation(): boolean {
    return true;
  }

  override submit(connection: WireConnection): Error | null {
    this.#submitting = true;
    const error = super.submit(connection);
    this.#submitting = false;
    if (error) this.unsent = error;
    return error;
  }

  /** While it is being submitted: a value that cannot be written. */
  override handleError(error: Error, connection: WireConnection): void {
    super.handleError(error, connection);
    if (!this.#submitting) return;
    this.unsent = error;
    // The server still answers what pg has sent in its stead; whoever waits for this one has been told already.
    this.callback = () => undefined;
  }

  override prepare(connection: WireConnection): void {
    for (const name of this.#retired) {
      connection.close({ type: 'S', name });
      delete connection.parsedStatements[name];
    }
    super.prepare(connection);
  }
}

/**
 * One read under one tenant's role, in one network flush and one implicit transaction: the role switch, the statement,
 * one Sync. A failed switch aborts the statement; nothing of the switch outlives the Sync. The implicit transaction is
 * read-only: a write needs a transaction, and a transaction carries its audit event.
 */
export class TenantQuery extends ExtendedQuery {
  static readonly SWITCH =
    "SELECT set_config('role', $1, true), set_config('transaction_read_only', 'on', true)";
  static readonly #SWITCH_NAME = 'waxell_tenant_switch';
  readonly #tenant: TenantId;
  readonly #shapes: RowShapes | undefined;
  #switching = true;
  #parsingSwitch = false;

  /** @param shapes of the connection's named statements; undefined where statements have no names, not even the switch */
  constructor(
    text: string,
    values: unknown[] | undefined,
    callback: QueryCallback | undefined,
    name: StatementName,
    tenant: TenantId,
    shapes: RowShapes | undefined,
  ) {
    super(text, values, callback, name);
    this.#tenant = tenant;
    this.#shapes = shapes;
  }

  override prepare(connection: WireConnection): void {
    const statement = this.#shapes ? TenantQuery.#SWITCH_NAME : '';
    // Sent counts as parsed: on a connection that carries many statements, others follow before the server's word. It is
    // the first message after a Sync, which the server never skips.
    if (statement === '' || connection.parsedStatements[statement] === undefined) {
      this.#parsingSwitch = true;
      if (statement !== '') connection.parsedStatements[statement] = TenantQuery.SWITCH;
      connection.parse({ name: statement, text: TenantQuery.SWITCH });
    }
    connection.bind({ portal: '', statement, values: [this.#tenant] });
    connection.execute({ portal: '' });
    const shape = this.name === undefined ? undefined : this.#shapes?.get(this.name);
    if (!shape) return super.prepare(connection);
    // Known from an earlier execution: the server is not asked to describe it again, nor is the answer taken apart.
    const { fields, _parsers, _prebuiltEmptyResultObject } = shape;
    Object.assign(this._result, { fields, _parsers, _prebuiltEmptyResultObject });
    this._accumulateRows = true;
    super.prepare(withoutDescribe(connection));
  }

  override handleRowDescription(message: unknown): void {
    super.handleRowDescription(message);
    const { fields, _parsers, _prebuiltEmptyResultObject } = this._result;
    if (this.name !== undefined)
      this.#shapes?.set(this.name, { fields, _parsers, _prebuiltEmptyResultObject });
  }

  override handleDataRow(message: unknown): void {
    if (!this.#switching) super.handleDataRow(message);
  }

  override handleCommandComplete(message: unknown, connection: WireConnection): void {
    if (this.#switching) this.#switching = false;
    else super.handleCommandComplete(message, connection);
  }

  /**
   * Takes the server's word that a statement was parsed, where it speaks of the switch. pg notes every such word for the
   * query's own name, so without this a statement that failed to parse would be taken for a parsed one.
   */
  acknowledgesParse(): boolean {
    if (!this.#parsingSwitch) return false;
    this.#parsingSwitch = false;
    return true;
  }
}

const silent = new WeakMap<WireConnection, WireConnection>();

/** The same connection, which leaves out the one message. */
function withoutDescribe(connection: WireConnection): WireConnection {
  let without = silent.get(connection);
  if (!without) {
    without = Object.create(connection, { describe: { value: () => undefined } }) as WireConnection;
    silent.set(connection, without);
  }
  return without;
}
