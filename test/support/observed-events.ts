import type { EventBody } from '../../src/audit/index.js';
import { Detector } from '../../src/detection/detector.js';
import { Memory } from '../../src/detection/memory.js';
import type { ObservedEvent } from '../../src/detection/observed-event.js';
import type { DetectionSettings } from '../../src/detection/rule-catalogue.js';

export const NONE: DetectionSettings = new Map();
export const START = 497_222 * 3_600;
export const HOUR = 3_600;
export const DAY = 86_400;

let seq = 0;
/** An event of Ann, as rules look at it. */
export function event(
  at: number,
  action: string,
  body: Partial<EventBody> = {},
  who: Pick<ObservedEvent, 'account' | 'address' | 'network'> = {},
): ObservedEvent {
  seq += 1;
  return {
    seq,
    at,
    body: {
      v: 1,
      id: String(seq),
      at: '',
      tenant: 't_0000000000000001',
      region: 'r',
      action,
      actor: { type: 'user', id: 'ann' },
      outcome: 'success',
      ...body,
    },
    subject: { email: 'ann@acme.example', ip: '192.0.2.1' },
    ...who,
  };
}
/** What the rules find in a log, with nothing before it. */
export const found = (events: readonly ObservedEvent[], settings = NONE): string[] => {
  const detector = new Detector(new Memory(), settings);
  return events.flatMap((one) => detector.observe(one).map(({ rule, key }) => `${rule} ${key}`));
};
export const times = (count: number, one: (at: number) => ObservedEvent): ObservedEvent[] =>
  Array.from({ length: count }, (_, at) => one(at));
/** A sign-in that fails. */
export const failed = (at: number, account: string, address: string) =>
  event(
    at,
    'session.created',
    { outcome: 'denied', actor: { type: 'anonymous', id: 'anonymous' } },
    { account, address },
  );
