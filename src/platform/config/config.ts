import type { CellConfig, PoolSizes } from '../database/cells.js';

/** Slices of the configuration, each handed to those who need it. Made once, frozen. */
export class DatabaseConfig {
  constructor(
    /** The first is the home region. */
    readonly cells: readonly CellConfig[],
    readonly loginSecret: string,
    readonly pools: PoolSizes,
  ) {}
}

export class AuthConfig {
  constructor(
    /** Issuer of access tokens. */
    readonly issuer: string,
    /** SHA-256 of the operator key; without it nobody is the operator. */
    readonly operatorKeyHash: Buffer | undefined,
  ) {}
}

export class HttpConfig {
  constructor(
    readonly host: string,
    readonly port: number,
    readonly trustedProxies: number,
  ) {}
}

export class RegionConfig {
  constructor(
    /** Undefined: all of them. */
    private readonly served: readonly string[] | undefined,
    /** Where other regions are served. */
    private readonly urls: Readonly<Record<string, string>>,
  ) {}

  /** Whether this process serves the region's tenants. */
  serves(region: string): boolean {
    return this.served?.includes(region) ?? true;
  }

  urlOf(region: string): string | undefined {
    return this.urls[region];
  }
}

export class WorkerConfig {
  constructor(
    /** Runs at once. */
    readonly concurrency: number,
    /** No other process can be working: leases that are found at the start belong to dead ones. */
    readonly alone: boolean,
  ) {}
}
