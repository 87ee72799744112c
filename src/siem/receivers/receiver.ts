import type { OutgoingAnswer, OutgoingRequest } from '../../platform/egress/index.js';
import type { OcsfEvent } from '../ocsf.js';

/** What a receiver takes at once. */
export interface ReceiverLimits {
  readonly events: number;
  /** Bytes of the body, before it is compressed. */
  readonly bytes: number;
  /** Bytes of one event. */
  readonly eventBytes: number;
}

/** What an answer means for the events that were sent. */
export type Verdict =
  | { readonly kind: 'accepted' }
  /** Not now, or not with this configuration: all of it is sent again later, and nothing is lost. */
  | { readonly kind: 'later'; readonly error: string; readonly afterSeconds?: number }
  /** This one of the batch will never be taken; the others were not looked at, or have to be sent again. */
  | { readonly kind: 'refused_event'; readonly index: number; readonly error: string }
  /** Something in the batch, or the whole as it is so large, will not be taken; which, is found out by halving. */
  | { readonly kind: 'refused_batch'; readonly error: string };

/** One event as a receiver wants it. */
export interface Encoded {
  readonly seq: number;
  /** Of what is no event of the log, and is sent alone. */
  readonly name?: string;
  readonly bytes: Buffer;
}

/** A kind of system that takes events over HTTP. */
export interface HttpReceiver {
  readonly limits: ReceiverLimits;
  encode(event: OcsfEvent): Buffer;
  request(batch: readonly Encoded[], now: Date): OutgoingRequest;
  judge(answer: OutgoingAnswer): Verdict;
}

const MAX_WAIT_SECONDS = 3_600;

/** The answers that mean the same everywhere; `undefined` where the receiver has to say. */
export function commonVerdict({ status, retryAfter }: OutgoingAnswer): Verdict | undefined {
  if (status >= 200 && status < 300) return { kind: 'accepted' };
  if (status === 413) return { kind: 'refused_batch', error: 'TOO_LARGE' };
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    const afterSeconds = secondsOf(retryAfter);
    const error = status === 429 ? 'RATE_LIMITED' : `HTTP_${status}`;
    return { kind: 'later', error, ...(afterSeconds !== undefined && { afterSeconds }) };
  }
  // A credential, a path, a redirect: somebody will put it right, and then everything is there.
  if (status !== 400 && status !== 422) return { kind: 'later', error: `HTTP_${status}` };
  return undefined;
}

/** `Retry-After` is seconds or a date (RFC 9110 section 10.2.3); at most an hour is waited. */
function secondsOf(retryAfter: string | undefined): number | undefined {
  if (retryAfter === undefined) return undefined;
  const seconds = /^\d{1,9}$/.test(retryAfter)
    ? Number(retryAfter)
    : (Date.parse(retryAfter) - Date.now()) / 1_000;
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), MAX_WAIT_SECONDS) : undefined;
}
