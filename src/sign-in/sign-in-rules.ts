import type { RequestTenant } from '../platform/http/request-context.js';
import type { SignInRules } from '../platform/http/tenant-rules.js';

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
} as const;

/** What holds where nothing was set. */
export const DEFAULT_RULES: SignInRules = Object.freeze({
  sessionSeconds: DAY,
  idleSeconds: null,
  refreshSeconds: 7 * DAY,
  binding: 'network',
  bindTokens: false,
  concurrentSessions: 10,
  passwordHistory: 5,
});

/** What holds for a tenant. In memory with its entry: asking costs nothing. */
export function signInRules({ signInRules: set }: Pick<RequestTenant, 'signInRules'>): SignInRules {
  return set ?? DEFAULT_RULES;
}
