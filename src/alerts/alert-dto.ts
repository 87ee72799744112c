import type { AlertEntity } from './alert.entity.js';
import type { AlertDto } from './alerts.dto.js';

/** What is answered of an alert. */
export function alertDto(alert: AlertEntity, now = new Date()): AlertDto {
  const { acknowledgedAt, acknowledgedBy, resolvedAt, resolvedBy, subject } = alert;
  const concerned = subject?.revealUnlessErased();
  const inTime = acknowledgedInTime(alert, now);
  return {
    id: alert.id,
    rule: alert.rule,
    key: alert.key,
    severity: alert.severity,
    status: alert.status,
    title: alert.title,
    details: { ...alert.details },
    ...(concerned && { subject: concerned }),
    occurrences: alert.occurrences,
    firstSeq: Number(alert.firstSeq),
    lastSeq: Number(alert.lastSeq),
    openedAt: alert.openedAt.toISOString(),
    acknowledgeBy: alert.acknowledgeBy.toISOString(),
    ...(inTime !== undefined && { acknowledgedInTime: inTime }),
    escalations: alert.escalations,
    reopenings: alert.reopenings,
    ...(acknowledgedAt && { acknowledgedAt: acknowledgedAt.toISOString() }),
    ...(acknowledgedBy !== null && { acknowledgedBy }),
    ...(resolvedAt && { resolvedAt: resolvedAt.toISOString() }),
    ...(resolvedBy !== null && { resolvedBy }),
    version: alert.version,
  };
}

/** Resolving one that nobody had acknowledged acknowledges it. */
function acknowledgedInTime(alert: AlertEntity, now: Date): boolean | undefined {
  const seenAt = alert.acknowledgedAt ?? alert.resolvedAt;
  if (seenAt) return seenAt <= alert.acknowledgeBy;
  return now > alert.acknowledgeBy ? false : undefined;
}
