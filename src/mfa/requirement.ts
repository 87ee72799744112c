import type { Role } from '../auth/index.js';
import type { SecondFactorConfig } from '../platform/config/index.js';
import type { SecondFactorRules } from '../platform/http/tenant-rules.js';

const DAY_MS = 24 * 60 * 60 * 1_000;
const ADMINS: ReadonlySet<string> = new Set<Role>(['Owner', 'Admin']);

export function isRequired({ requiredOf }: SecondFactorRules, role: string): boolean {
  return requiredOf === 'everybody' || ADMINS.has(role);
}

/**
 * When a person has to have a second factor, if they have to: so many days after the account began, or whatever began
 * later of what asks for it.
 * @param askedAt when the account was made, became an Owner's or Admin's, or had its factors reset
 */
export function requiredFrom(rules: SecondFactorRules, role: string, askedAt: Date): Date | undefined {
  if (!isRequired(rules, role)) return undefined;
  const { requiredSince, graceDays } = rules;
  const since = ADMINS.has(role) || requiredSince === null ? 0 : Date.parse(requiredSince);
  return new Date(Math.max(askedAt.getTime(), since) + graceDays * DAY_MS);
}

/**
 * Whether codes in text messages count for somebody: they are too easily had by others to be all that stands between a
 * stranger and whoever administers.
 */
export function textMessagesCount(
  { textMessages }: Pick<SecondFactorConfig, 'textMessages'>,
  rules: SecondFactorRules,
  role: string,
): boolean {
  return textMessages !== undefined && rules.textMessages === true && !ADMINS.has(role);
}
