import type { JWTPayload } from 'jose';
import { SetRefused } from './shared-signals.errors.js';
import { readSubject, type Subject } from './subject.js';
import { STREAM_STATUSES, type StreamStatus } from './transmitter-row.js';

/** What is done for an event, the less before the more. */
export const EFFECTS = ['none', 'end_sessions', 'distrust', 'disable'] as const;
export type Effect = (typeof EFFECTS)[number];

const CAEP = 'https://schemas.openid.net/secevent/caep/event-type/';
const RISC = 'https://schemas.openid.net/secevent/risc/event-type/';
const SSF = 'https://schemas.openid.net/secevent/ssf/event-type/';

/** Whatever is not named here is taken, logged, and changes nothing: an event that gives access is among them. */
const EFFECT_OF: ReadonlyMap<string, Effect> = new Map([
  [`${CAEP}session-revoked`, 'end_sessions'],
  [`${RISC}sessions-revoked`, 'end_sessions'],
  [`${CAEP}credential-change`, 'distrust'],
  [`${RISC}account-disabled`, 'disable'],
  [`${RISC}account-purged`, 'disable'],
]);
const VERIFICATIONS = [`${SSF}verification`, `${RISC}verification`];
const STREAM_UPDATED = `${SSF}stream-updated`;

/** Several types of one event are other names of the same; ten would be something else. */
const MOST_TYPES = 10;
const TYPE = /^[\x21-\x7e]{1,300}$/;
const LONGEST_STATE = 1_000;

/** What a security event token says. */
export interface SecurityEvent {
  readonly types: readonly string[];
  readonly effect: Effect;
  /** Absent where it is about the stream. */
  readonly subject?: Subject;
  /** Of a verification: what was sent along when it was asked for; empty where nothing was. */
  readonly verified?: string;
  readonly streamStatus?: StreamStatus;
}

/** @throws {SetRefused} */
export function readEvent({ events, sub_id: subject }: JWTPayload): SecurityEvent {
  const all = Object.entries(object(events, 'events must be an object (RFC 8417 section 2.2).'));
  if (all.length === 0 || all.length > MOST_TYPES)
    throw refused(`events must have one member, or up to ${MOST_TYPES} that are names of the same.`);
  const read = all.map(([type, payload]) => {
    if (!TYPE.test(type)) throw refused('The type of an event must be a URI of at most 300 characters.');
    return { type, payload: object(payload, 'What an event says must be an object.') };
  });
  const types = read.map(({ type }) => type);
  const payloadOf = (...names: string[]) => read.find(({ type }) => names.includes(type))?.payload;
  const verification = payloadOf(...VERIFICATIONS);
  if (verification) return { types, effect: 'none', verified: stateOf(verification['state']) };
  const update = payloadOf(STREAM_UPDATED);
  if (update) return { types, effect: 'none', streamStatus: statusOf(update['status']) };
  const effects = new Set(types.map((type) => EFFECT_OF.get(type)));
  // Drafts, which transmitters still go by, have the subject in the event.
  const within = read.find(({ payload }) => 'subject' in payload)?.payload['subject'];
  return {
    types,
    effect: EFFECTS.findLast((effect) => effects.has(effect)) ?? 'none',
    subject: readSubject(subject ?? within),
  };
}

function stateOf(state: unknown): string {
  if (state === undefined) return '';
  if (typeof state !== 'string' || state.length > LONGEST_STATE)
    throw refused(`state must be a text of at most ${LONGEST_STATE} characters.`);
  return state;
}

function statusOf(status: unknown): StreamStatus {
  const known = STREAM_STATUSES.find((one) => one === status);
  if (!known) throw refused(`status must be one of ${STREAM_STATUSES.join(', ')}.`);
  return known;
}

function object(value: unknown, why: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refused(why);
  return value as Record<string, unknown>;
}

function refused(why: string): SetRefused {
  return new SetRefused('invalid_request', why);
}
