/** How many of a tenant's requests are served; what is left out is as the installation has it. Set by the operator. */
export interface RateLimits {
  readonly requests?: { readonly perSecond: number; readonly burst: number };
  /** From one address. */
  readonly signIns?: { readonly perMinute: number; readonly burst: number };
}

/** From which countries a tenant may be called. Set by its administrators. */
export interface NetworkRules {
  /** Whether the countries are those that are served, or those that are not. */
  readonly mode: 'allow' | 'deny';
  /** ISO 3166-1 alpha-2, in capitals. */
  readonly countries: readonly string[];
  /** What happens to callers whose country nobody knows. */
  readonly unknown: 'allow' | 'deny';
}
