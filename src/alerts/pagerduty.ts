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
type PagerDutyAction = 'trigger' | 'acknowledge' | 'resolve';
const ACTION: Readonly<Record<NotificationKind, PagerDutyAction>> = {
  opened: 'trigger',
  reopened: 'trigger',
  escalated: 'trigger',
  acknowledged: 'acknowledge',
  resolved: 'resolve',
};
const SUMMARY_CHARACTERS = 1_024;

/**
 * The requests of PagerDuty's Events API v2 that tell a word. Of an incident that is open, or that somebody has
 * acknowledged, nobody is paged by another trigger: an escalation is an incident of its own, which ends with the first, and
 * an alert that is open again ends the ones before it and is another.
 */
export function pagerDutyRequests(
  { url = PAGERDUTY_URL, secret = '' }: Recipient,
  word: Word,
): OutgoingRequest[] {
  const { tenant, kind, alert } = word;
  const incident = (reopenings: number): string =>
    `waxell/${tenant}/${alert.id}${reopenings > 0 ? `/${reopenings}` : ''}`;
  const key = incident(alert.reopenings);
  const former = incident(alert.reopenings - 1);
  const all = alert.escalations + alert.reopenings > 0 ? [key, escalated(key)] : [key];
  const action = ACTION[kind];
  const told = {
    opened: [{ action, key: incident(0) }],
    reopened: [
      { action: 'resolve' as const, key: former },
      { action: 'resolve' as const, key: escalated(former) },
      { action, key },
    ],
    escalated: [{ action, key: escalated(key) }],
    acknowledged: all.map((one) => ({ action, key: one })),
    resolved: all.map((one) => ({ action, key: one })),
  }[kind];
  return told.map((one) => ({
    url,
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify(eventOf(secret, one, word))),
  }));
}

function escalated(key: string): string {
  return `${key}/escalated`;
}

function eventOf(
  routingKey: string,
  { action, key }: { readonly action: PagerDutyAction; readonly key: string },
  { tenant, kind, alert }: Word,
): Record<string, unknown> {
  const event = { routing_key: routingKey, event_action: action, dedup_key: key };
  if (action !== 'trigger') return event;
  const how = { escalated: 'Not acknowledged in time: ', reopened: 'Again: ' }[kind as string] ?? '';
  return {
    ...event,
    client: 'Waxell',
    payload: {
      summary: `[${alert.severity}] ${how}${alert.title}`.slice(0, SUMMARY_CHARACTERS),
      source: tenant,
      severity: SEVERITY[alert.severity],
      timestamp: alert.openedAt.toISOString(),
      component: 'audit log',
      class: alert.rule,
      custom_details: { alert: alert.id, ...alert.details },
    },
  };
}
