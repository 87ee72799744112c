import type { CellConfig, PoolSizes } from '../database/cells.js';
import type { Environment } from './environment.js';

/** Slices of the configuration, each handed to those who need it. Made once, frozen. */
export class DatabaseConfig {
  constructor(
    /** The first is the home region. */
    readonly cells: readonly CellConfig[],
    readonly loginSecret: string,
    readonly pools: PoolSizes,
    /** Tenants built in advance, per database. */
    readonly spares: number,
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

export class PasswordConfig {
  constructor(
    /** Memory of one argon2id hash, in KiB. */
    readonly memoryKib: number,
    readonly passes: number,
    /** The page that takes a new password; the token is put behind it. */
    readonly resetUrl: string,
  ) {}

  static of(env: Environment, baseUrl: string): PasswordConfig {
    const resetUrl = env.PASSWORD_RESET_URL ?? `${baseUrl.replace(/\/$/, '')}/reset-password`;
    return new PasswordConfig(env.ARGON2_MEMORY_KIB, env.ARGON2_PASSES, resetUrl);
  }
}

/** Where text messages are handed over, and how many. */
export interface TextMessagesConfig {
  readonly url: string;
  /** `whsec_`, as Standard Webhooks has it. */
  readonly secret: string;
  /** What numbers begin with that are sent to: `+44`. */
  readonly prefixes: readonly string[];
  /** Of one organisation, in 24 hours. */
  readonly perDay: number;
}

export class SecondFactorConfig {
  constructor(
    /** The page that takes a second factor after single sign-on; the challenge is put behind it. */
    readonly pageUrl: string,
    /** Undefined: there are no codes in text messages. */
    readonly textMessages?: TextMessagesConfig,
  ) {}

  static of(env: Environment, baseUrl: string): SecondFactorConfig {
    const page = env.SECOND_FACTOR_URL ?? `${baseUrl.replace(/\/$/, '')}/second-factor`;
    const { TEXT_MESSAGES_URL: url, TEXT_MESSAGES_SECRET: secret } = env;
    if (url === undefined || secret === undefined) return new SecondFactorConfig(page);
    const prefixes = env.TEXT_MESSAGES_PREFIXES ?? [];
    return new SecondFactorConfig(page, { url, secret, prefixes, perDay: env.TEXT_MESSAGES_PER_DAY });
  }
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

/** Where organisations may have their events and alerts sent. */
export class ReceiversConfig {
  constructor(
    /** Whether addresses may begin with http://. */
    readonly plainHttp: boolean,
    /** Whether logs may be written to the standard output of the processes. */
    readonly stdout: boolean,
  ) {}

  static of(env: Environment): ReceiversConfig {
    return new ReceiversConfig(env.NODE_ENV !== 'production', env.RECEIVERS_STDOUT);
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

/** For how many days logs are kept, counted from when their events were appended. */
export class RetentionConfig {
  constructor(
    /** In the database, at least. */
    readonly hotDays: number,
    /** In all, then in the object store. */
    readonly coldDays: number,
    /** The most that an organisation may set. */
    readonly longest: { readonly hotDays: number; readonly coldDays: number },
  ) {}
}

/** A bucket of `burst` tokens, into which `perSecond` fall. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** How many requests are served, and from what the country of a caller is known. */
export class LimitsConfig {
  constructor(
    readonly rates: {
      /** Of an address. */
      readonly ip: Rate;
      /** Of an organisation for which the operator has set nothing else. */
      readonly tenant: Rate;
      /** Sign-ins from an address, to whichever organisation. */
      readonly signIn: Rate;
      /** Sign-ins from an address to an organisation for which the operator has set nothing else. */
      readonly tenantSignIn: Rate;
    },
    /** The header, in lower case, in which a trusted edge says the caller's country. */
    readonly countryHeader: string | undefined,
  ) {}

  static of(env: Environment): LimitsConfig {
    const rates = {
      ip: { perSecond: env.RATE_LIMIT_IP_PER_SECOND, burst: env.RATE_LIMIT_IP_BURST },
      tenant: { perSecond: env.RATE_LIMIT_TENANT_PER_SECOND, burst: env.RATE_LIMIT_TENANT_BURST },
      signIn: { perSecond: env.RATE_LIMIT_SIGN_IN_PER_MINUTE / 60, burst: env.RATE_LIMIT_SIGN_IN_BURST },
      tenantSignIn: {
        perSecond: env.RATE_LIMIT_TENANT_SIGN_IN_PER_MINUTE / 60,
        burst: env.RATE_LIMIT_TENANT_SIGN_IN_BURST,
      },
    };
    return new LimitsConfig(rates, env.GEO_COUNTRY_HEADER);
  }
}
