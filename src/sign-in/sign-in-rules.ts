import type { RequestTenant } from '../platform/http/request-context.js';
import type { SecondFactorRules, SignInRules } from '../platform/http/tenant-rules.js';

const HOUR = 3_600;
const DAY = 24 * HOUR;

/** The bounds of each rule: what an organisation may set. */
export const BOUNDS = {
  sessionSeconds: { min: HOUR, max: 7 * DAY },
  // Use is noted once a minute: shorter pauses could not be told from use.
  idleSeconds: { min: 300, max: 7 * DAY },
  refreshSeconds: { min: HOUR, max: 7 * DAY },
  concurrentSessions: { min: 1, max: 100 },
  passwordHistory: { min: 0, max: 24 },
  graceDays: { min: 0, max: 30 },
  trustedDeviceDays: { min: 0, max: 90 },
} as const;

/** What holds of second factors where nothing was set. */
export const DEFAULT_SECOND_FACTOR: SecondFactorRules = Object.freeze({
  requiredOf: 'admins',
  requiredSince: null,
  graceDays: 14,
  trustedDeviceDays: 30,
  textMessages: false,
  attestation: 'none',
  attestationRoots: [],
  allowedAaguids: [],
});

/** What holds where nothing was set. */
export const DEFAULT_RULES: Required<SignInRules> = Object.freeze({
  sessionSeconds: DAY,
  idleSeconds: null,
  refreshSeconds: 7 * DAY,
  binding: 'network',
  bindTokens: false,
  concurrentSessions: 10,
  passwordHistory: 5,
  secondFactor: DEFAULT_SECOND_FACTOR,
});

/** What holds for a tenant. In memory with its entry: asking costs nothing. */
export function signInRules({ signInRules: set }: Pick<RequestTenant, 'signInRules'>): SignInRules {
  return set ?? DEFAULT_RULES;
}

/** What holds of second factors. */
export function secondFactorRules(tenant: Pick<RequestTenant, 'signInRules'>): SecondFactorRules {
  return signInRules(tenant).secondFactor ?? DEFAULT_SECOND_FACTOR;
}
