import type { EventBody } from '../audit/index.js';

/** An event as rules look at it. */
export interface ObservedEvent {
  readonly seq: number;
  /** Second of the event. */
  readonly at: number;
  readonly body: EventBody;
  /** Keyed hashes of who was named and from where: what is remembered of them tells nobody who it was. */
  readonly account?: string;
  readonly address?: string;
  /** Of the network that the address is in. */
  readonly network?: string;
  /** The same in clear, for an alert, which keeps them encrypted. */
  readonly subject: { readonly email?: string; readonly ip?: string };
  /** Whose they are, where that is known: the alert keeps them under that person's key. */
  readonly person?: string;
}

/** What a rule says of an event. */
export interface Match {
  /** Of what it is: one alert for each. */
  readonly key: string;
  readonly title: string;
  readonly details: Record<string, unknown>;
  readonly subject?: Record<string, string>;
  /** The person whom `subject` concerns, where that is known. */
  readonly person?: string;
}
