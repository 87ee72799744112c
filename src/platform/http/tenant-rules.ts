/** How many of a tenant's requests are served; what is left out is as the installation has it. Set by the operator. */
export interface RateLimits {
  readonly requests?: { readonly perSecond: number; readonly burst: number };
  /** From one address. */
  readonly signIns?: { readonly perMinute: number; readonly burst: number };
}

/** How people sign in to a tenant, and for how long. Set by its administrators. */
export interface SignInRules {
  /** For so long a session lives, from the sign-in on. */
  readonly sessionSeconds: number;
  /** A session that was not used for so long is over; `null`: it may rest. */
  readonly idleSeconds: number | null;
  /** For so long refresh tokens go on being exchanged, from the sign-in on. */
  readonly refreshSeconds: number;
  /** Which part of the caller's address a session belongs to; the browser it always belongs to. */
  readonly binding: 'exact' | 'network' | 'off';
  /** Whether access and refresh tokens belong to address and browser of their sign-in as cookies do. */
  readonly bindTokens: boolean;
  /** Of one person; the oldest ends where another begins. */
  readonly concurrentSessions: number;
  /** So many of a person's last passwords are not taken again. */
  readonly passwordHistory: number;
  /** Absent from what was set before there was such a thing: the defaults. */
  readonly secondFactor?: SecondFactorRules;
}

/** Who has to prove a second factor, and which counts. Owners and Admins always have to. */
export interface SecondFactorRules {
  readonly requiredOf: 'admins' | 'everybody';
  /** Since when it is required of everybody, RFC 3339: nobody's days of grace begin before. */
  readonly requiredSince: string | null;
  /** For so many days a person may do without, from when it is asked of them. */
  readonly graceDays: number;
  /** For so many days a browser is believed in which a second factor was proved; 0: never. */
  readonly trustedDeviceDays: number;
  /** Whether codes in text messages count, of others than Owners and Admins. Absent: they do not. */
  readonly textMessages?: boolean;
  /** Whether security keys have to say what they are, signed by their makers. */
  readonly attestation: 'none' | 'direct';
  /** With `direct`: the makers' certificates that are believed, PEM. */
  readonly attestationRoots: readonly string[];
  /** With `direct`: the models that are taken, by their AAGUID; none named: all of those makers'. */
  readonly allowedAaguids: readonly string[];
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

export const BODY_RECORDINGS = ['none', 'redacted', 'full'] as const;

/**
 * What of the bodies of requests goes into events. `redacted`: all but what is secret or personal by the names of its
 * fields. `full`: what is personal too, where it is known whose it is. What is secret never does.
 */
export type BodyRecording = (typeof BODY_RECORDINGS)[number];

/** What an organisation wants in its log of the bodies of requests. */
export interface RequestBodies {
  readonly recorded: BodyRecording;
  /** Names of fields that stay out whatever is recorded, in small letters. */
  readonly withheld: readonly string[];
}
