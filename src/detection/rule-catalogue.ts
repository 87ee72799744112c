import type { AlertSeverity } from '../alerts/index.js';

/** How a rule is set. */
export interface RuleSettings {
  readonly enabled: boolean;
  readonly severity: AlertSeverity;
  /** How many (or how many times the usual) it takes. */
  readonly threshold: number;
  /** Within which time they count, and for how long the same is not found again. */
  readonly windowSeconds: number;
}

interface CatalogueRule extends Omit<RuleSettings, 'enabled'> {
  /** What is counted, against whom. */
  readonly means: string;
}

const MINUTE = 60;
const HOUR = 3_600;
const DAY = 86_400;

/** Every rule, with the settings that hold where an organisation has set nothing else. */
export const RULES = {
  'failed_logins.account': {
    severity: 'P3',
    threshold: 5,
    windowSeconds: 15 * MINUTE,
    means: 'Sign-ins that failed, for one e-mail address.',
  },
  'failed_logins.address': {
    severity: 'P2',
    threshold: 20,
    windowSeconds: 15 * MINUTE,
    means: 'Sign-ins that failed, from one network address.',
  },
  'failed_logins.organisation': {
    severity: 'P2',
    threshold: 100,
    windowSeconds: 15 * MINUTE,
    means: 'Sign-ins that failed, in the organisation as a whole.',
  },
  'sign_in.break_glass': {
    severity: 'P1',
    threshold: 1,
    windowSeconds: HOUR,
    means: 'Sign-ins of one owner with a password that their domain refuses to everybody else.',
  },
  'privileges.denied': {
    severity: 'P2',
    threshold: 5,
    windowSeconds: 10 * MINUTE,
    means: 'Administrative calls of one actor that were denied.',
  },
  'privileges.exceeded': {
    severity: 'P2',
    threshold: 1,
    windowSeconds: HOUR,
    means: 'Attempts of one actor to grant more than they hold.',
  },
  'privileges.granted': {
    severity: 'P4',
    threshold: 1,
    windowSeconds: HOUR,
    means: 'Times that one person, group, role or key has got administrative power, whichever way.',
  },
  'unusual.rate': {
    severity: 'P3',
    threshold: 5,
    windowSeconds: DAY,
    means: "An actor's calls in an hour, as a multiple of what is usual for that actor; at least 200 calls.",
  },
  'unusual.actions': {
    severity: 'P3',
    threshold: 3,
    windowSeconds: HOUR,
    means: 'Kinds of calls that an actor known for three days makes for the first time.',
  },
  'unusual.organisation_rate': {
    severity: 'P3',
    threshold: 5,
    windowSeconds: DAY,
    means:
      "The organisation's calls in an hour, as a multiple of what is usual for it; at least 1,000 calls.",
  },
  'unusual.organisation_actions': {
    severity: 'P3',
    threshold: 3,
    windowSeconds: HOUR,
    means: 'Kinds of calls that nobody in an organisation known for three days has made before.',
  },
  'unusual.organisation_networks': {
    severity: 'P3',
    threshold: 5,
    windowSeconds: HOUR,
    means: 'Networks that people sign in from, and from which nobody in the organisation has for a month.',
  },
  'provisioning.mass_removal': {
    severity: 'P2',
    threshold: 10,
    windowSeconds: HOUR,
    means: 'People whom one directory, or transmitter, has deactivated or taken away.',
  },
  'exfiltration.reads': {
    severity: 'P2',
    threshold: 1_000,
    windowSeconds: 10 * MINUTE,
    means: 'Reads of one actor, of whatever.',
  },
  'exfiltration.rows': {
    severity: 'P2',
    threshold: 20_000,
    windowSeconds: 10 * MINUTE,
    means: 'What lists have answered one actor, row by row; whatever else was read is one.',
  },
  'exfiltration.exports': {
    severity: 'P3',
    threshold: 1,
    windowSeconds: DAY,
    means: 'Exports of the log or of the organisation, by one actor.',
  },
  'delivery.failing': {
    severity: 'P3',
    threshold: 1,
    windowSeconds: HOUR,
    means: 'A destination that takes nothing, or refuses events for good.',
  },
  'delivery.lag': {
    severity: 'P3',
    threshold: 15,
    windowSeconds: HOUR,
    means: 'Minutes that a destination is behind the log; it is looked at from fifteen on.',
  },
  'certificate.expiry': {
    severity: 'P2',
    threshold: 1,
    windowSeconds: DAY,
    means: "A certificate of the installation that expires; in the installation's own log.",
  },
  'audit.chain': {
    severity: 'P1',
    threshold: 1,
    windowSeconds: HOUR,
    means: 'A log that is not as it was written.',
  },
} as const satisfies Record<string, CatalogueRule>;

export type RuleName = keyof typeof RULES;
export const RULE_NAMES = Object.keys(RULES) as readonly RuleName[];

export function isRule(name: string): name is RuleName {
  return Object.hasOwn(RULES, name);
}

export function defaultsOf(rule: RuleName): RuleSettings {
  const { severity, threshold, windowSeconds } = RULES[rule];
  return { enabled: true, severity, threshold, windowSeconds };
}

/** Of each rule; what is not set is the default. */
export type DetectionSettings = ReadonlyMap<RuleName, RuleSettings>;
