import type { Claims } from './map-claims.js';

/** Somebody of whom a provider has said who they are, all of it checked. */
export interface ProvenPerson {
  readonly issuer: string;
  /** Never given to anybody else by the provider. */
  readonly subject: string;
  readonly claims: Claims;
  /** Whether the provider answers for the e-mail address. */
  readonly emailVerified: boolean;
  /** Whether the provider says that a second factor was proved. */
  readonly secondFactor: boolean;
  /** What the provider calls its session by. */
  readonly sid?: string;
  /** What is needed to end the provider's session. */
  readonly hint?: LogoutHint;
  /** When the person has proved to the provider who they are, where it says so. */
  readonly authenticatedAt?: Date;
  /** When the provider's session is over. */
  readonly until?: Date;
  /** Noted with the sign-in: it is good for one. */
  readonly once?: { readonly id: string; readonly until: Date };
}

export type LogoutHint =
  | { readonly idToken: string }
  | { readonly nameId: string; readonly format?: string; readonly sessionIndex?: string };
