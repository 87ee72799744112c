import { ROLE_OF_STANDING, type Role } from '../auth/index.js';
import type { SecondFactorConfig } from '../platform/config/index.js';
import type { TenantDatabase } from '../platform/database/index.js';
import { ResourceNotFound } from '../platform/http/errors.js';
import type { SecondFactorRules } from '../platform/http/tenant-rules.js';

const DAY_MS = 24 * 60 * 60 * 1_000;
const ADMINS: ReadonlySet<string> = new Set<Role>(['Owner', 'Admin']);

/** What of a person says whether a second factor is asked of them. */
export interface Standing {
  /** `Admin` too where grants make them one. */
  readonly role: string;
  /** When the account was made, became an Owner's or Admin's, or had its factors reset. */
  readonly askedAt: Date;
}

/** @throws {ResourceNotFound} of a client, which is no person */
export async function standingOf(database: TenantDatabase, userId: string): Promise<Standing> {
  const [row] = await database.query<{ role: string; asked_at: Date }>({
    text: `SELECT ${ROLE_OF_STANDING} AS role, u.second_factor_asked_at AS asked_at FROM users u WHERE u.id = $1`,
    values: [userId],
  });
  if (!row) throw new ResourceNotFound('user');
  return { role: row.role, askedAt: row.asked_at };
}

export function isRequired({ requiredOf }: SecondFactorRules, role: string): boolean {
  return requiredOf === 'everybody' || ADMINS.has(role);
}

/**
 * When a person has to have a second factor, if they have to: so many days after the account began, or whatever began
 * later of what asks for it.
 */
export function requiredFrom(rules: SecondFactorRules, { role, askedAt }: Standing): Date | undefined {
  if (!isRequired(rules, role)) return undefined;
  const { requiredSince, graceDays } = rules;
  const since = ADMINS.has(role) || requiredSince === null ? 0 : Date.parse(requiredSince);
  return new Date(Math.max(askedAt.getTime(), since) + graceDays * DAY_MS);
}

/** Whether a person has to have one by now. */
export async function isOverdue(
  database: TenantDatabase,
  rules: SecondFactorRules,
  userId: string,
): Promise<boolean> {
  const from = requiredFrom(rules, await standingOf(database, userId));
  return from !== undefined && from.getTime() <= Date.now();
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
  return textMessagesOffered({ textMessages }, rules) && !ADMINS.has(role);
}

/** Whether they can be sent at all. */
export function textMessagesOffered(
  { textMessages }: Pick<SecondFactorConfig, 'textMessages'>,
  rules: SecondFactorRules,
): boolean {
  return textMessages !== undefined && rules.textMessages === true;
}
