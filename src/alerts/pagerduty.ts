import type { OutgoingRequest } from '../platform/egress/index.js';
import type { Recipient } from './channel.entity.js';
import type { NotificationKind } from './notifications.js';
import type { Word } from './word.js';
import type { AlertSeverity } from './severity.js';

export const PAGERDUTY_URL = 'https://events.pagerduty.com/v2/enqueue';

const SEVERITY: Readonly<Record<AlertSeverity, string>> = {
  P1: 'critical',
  P2: 'error',
  P3: 'warning',
  P4: 'info',
};
const ACTION: Readonly<Record<NotificationKind, 'trigger' | 'acknowledge' | 'resolve'>> = {
  opened: 'trigger',
  escalated: 'trigger',
  acknowledged: 'acknowledge',
  resolved: 'resolve',
};
const SUMMARY_CHARACTERS = 1_024;

/**
 * The requests of PagerDuty's Events API v2 that tell a word. An incident that is open is not paged again by another
 * trigger: an escalation is an incident of its own, which ends with the first.
 */
export function pagerDutyRequests(
  { url = PAGERDUTY_URL, secret = '' }: Recipient,
  word: Word,
): OutgoingRequest[] {
  const { tenant, kind, alert } = word;
  const key = `waxell/${tenant}/${alert.id}`;
  const keys = {
    opened: [key],
    escalated: [`${key}/escalated`],
    acknowledged: alert.escalations > 0 ? [key, `${key}/escalated`] : [key],
    resolved: alert.escalations > 0 ? [key, `${key}/escalated`] : [key],
  }[kind];
  return keys.map((dedupKey) => ({
    url,
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify(eventOf(secret, dedupKey, word))),
  }));
}

function eventOf(
  routingKey: string,
  dedupKey: string,
  { tenant, kind, alert }: Word,
): Record<string, unknown> {
  const action = ACTION[kind];
  const event = { routing_key: routingKey, event_action: action, dedup_key: dedupKey };
  if (action !== 'trigger') return event;
  const escalated = kind === 'escalated' ? 'Not acknowledged in time: ' : '';
  return {
    ...event,
    client: 'Waxell',
    payload: {
      summary: `[${alert.severity}] ${escalated}${alert.title}`.slice(0, SUMMARY_CHARACTERS),
      source: tenant,
      severity: SEVERITY[alert.severity],
      timestamp: alert.openedAt.toISOString(),
      component: 'audit log',
      class: alert.rule,
      custom_details: { alert: alert.id, ...alert.details },
    },
  };
}
