import { DataSource, type EntitySubscriberInterface, type EntityTarget, type ObjectLiteral } from 'typeorm';
import pg from 'pg';
import { connectionOf, type Login } from './logins.js';
import { runInScope, STARTUP } from './tenant-scope.js';
import type { TenantId, TenantRef } from './tenant-id.js';
import { ReadLane } from './read-lane.js';
import { StandingConnection } from './standing-connection.js';
import { outliveConnections } from './outlive-connections.js';
import { TenantPool } from './tenant-pool.js';
import { UnnamedClient } from './unnamed-client.js';

/**
 * A cell as it is configured: one database of a region, with all that its tenants store. A region has one cell or several;
 * outgrowing one means another, not a bigger one.
 */
export interface CellConfig {
  /** Unique among all cells, and for ever the same: the registry names it. */
  readonly name: string;
  readonly region: string;
  /** Tenants that it takes; new ones go to the emptiest cell of their region. */
  readonly capacity: number;
  /** The owner's URL; migrations and provisioning connect with it. */
  readonly ownerUrl: string;
  /** A PgBouncer in transaction mode before the same database: what serves requests connects there. */
  readonly poolerUrl?: string;
}

export interface PoolSizes {
  readonly tenant: number;
  /** Connections that each carry many reads at once. */
  readonly lane: number;
  readonly control: number;
  readonly audit: number;
}

/** One cell's database with a pool for each login. */
export class Cell {
  readonly name: string;
  readonly region: string;
  readonly capacity: number;
  readonly ownerUrl: string;
  readonly tenants: DataSource;
  readonly reads: ReadLane;
  readonly control: pg.Pool;
  readonly audit: pg.Pool;
  /** The connection on which this process appends to the audit log. */
  readonly appends: StandingConnection<pg.Client>;
  readonly #secret: string;
  readonly #poolerUrl: string | undefined;
  #closing = false;

  constructor(
    config: CellConfig,
    secret: string,
    pools: PoolSizes,
    entities: readonly EntityTarget<ObjectLiteral>[],
    readonly onPoolError: (error: Error) => void,
  ) {
    this.name = config.name;
    this.region = config.region;
    this.capacity = config.capacity;
    this.ownerUrl = config.ownerUrl;
    this.#secret = secret;
    this.#poolerUrl = config.poolerUrl;
    const app = this.#serving('app');
    const namedStatements = config.poolerUrl === undefined;
    this.tenants = new DataSource({
      type: 'postgres',
      driver: { Pool: TenantPool, types: pg.types, defaults: pg.defaults },
      installExtensions: false,
      host: app.host,
      port: app.port,
      database: app.database,
      username: app.user,
      password: app.password as string,
      ssl: app.ssl as boolean,
      applicationName: app.application_name,
      poolSize: pools.tenant,
      connectTimeoutMS: 5_000,
      extra: { namedStatements, keepAlive: true, pipeline: true },
      poolErrorHandler: (error: Error) => this.#report(error),
      entities: entities as never,
      logging: false,
      migrationsRun: false,
      synchronize: false,
    });
    this.reads = new ReadLane({ ...app, namedStatements }, pools.lane, onPoolError);
    this.control = this.#pool('control', pools.control);
    this.audit = this.#pool('audit', pools.audit);
    const append = this.#serving('audit');
    const Client = this.#client;
    this.appends = new StandingConnection(() => new Client(append), onPoolError);
  }

  /** A login's connection to the database itself, for what needs a session of its own (the feed, the queue). */
  connection(login: Login): pg.ClientConfig {
    return connectionOf(this.ownerUrl, this.#secret, login);
  }

  /** A tenant that lives here. */
  tenant(id: TenantId): TenantRef {
    return { id, region: this.region, cell: this.name };
  }

  async open(): Promise<void> {
    await runInScope(STARTUP, () => this.tenants.initialize());
  }

  /** Lets a room see entities on their way in and out, such as encryption does. */
  observe(subscriber: EntitySubscriberInterface): void {
    this.tenants.subscribers.push(subscriber);
  }

  async close(): Promise<void> {
    this.#closing = true;
    if (this.tenants.isInitialized) await this.tenants.destroy();
    await Promise.all([this.reads.close(), this.appends.close()]);
    await Promise.all([this.control.end(), this.audit.end()]);
  }

  /** A pool forgets its connections before they are closed: that the server closes them first is no news. */
  #report(error: Error): void {
    if (!this.#closing) this.onPoolError(error);
  }

  /** A login's connection for what serves requests. */
  #serving(login: Login): pg.ClientConfig {
    return connectionOf(this.#poolerUrl ?? this.ownerUrl, this.#secret, login);
  }

  get #client(): typeof pg.Client {
    return this.#poolerUrl === undefined ? pg.Client : UnnamedClient;
  }

  #pool(login: Login, max: number): pg.Pool {
    const pool = new pg.Pool({ ...this.#serving(login), max, Client: this.#client });
    pool.on('error', (error) => this.#report(error));
    outliveConnections(pool);
    return pool;
  }
}

/** Every cell of every region. The first is home: it holds the registry of all tenants. */
export class Cells {
  readonly #byName: ReadonlyMap<string, Cell>;
  readonly home: Cell;

  constructor(cells: readonly Cell[]) {
    const [home] = cells;
    if (!home) throw new Error('At least one database is needed.');
    this.home = home;
    this.#byName = new Map(cells.map((cell) => [cell.name, cell]));
    if (this.#byName.size < cells.length) throw new Error('Two cells have the same name.');
  }

  get regions(): string[] {
    return [...new Set(this.all().map((cell) => cell.region))];
  }

  all(): Cell[] {
    return [...this.#byName.values()];
  }

  inRegion(region: string): Cell[] {
    return this.all().filter((cell) => cell.region === region);
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }

  of(name: string): Cell {
    const cell = this.#byName.get(name);
    if (!cell) throw new Error(`No cell of the name ${name} is configured.`);
    return cell;
  }

  async open(): Promise<void> {
    await Promise.all(this.all().map((cell) => cell.open()));
  }

  async close(): Promise<void> {
    await Promise.all(this.all().map((cell) => cell.close()));
  }
}
