import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { Not } from 'typeorm';
import { Sealed } from '../encryption/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import { AlertEntity } from './alert.entity.js';
import { Notifications } from './notifications.js';
import { ACKNOWLEDGE_WITHIN_SECONDS, type AlertSeverity } from './severity.js';

/** What a rule has found, before it is an alert. */
export interface Finding {
  readonly rule: string;
  readonly key: string;
  readonly severity: AlertSeverity;
  readonly title: string;
  readonly details: Record<string, unknown>;
  readonly subject?: Record<string, string>;
  /** The person whom `subject` concerns, where that is known: erased, the alert forgets it. */
  readonly person?: string;
  readonly seq: number;
}

/** Opens alerts, in the running transaction of the tenant in scope. */
@Injectable()
export class RaiseAlerts {
  constructor(
    private readonly database: TenantDatabase,
    private readonly notifications: Notifications,
  ) {}

  /** Answers the alerts that are new; a finding of one that is not resolved is counted there. */
  async raise(findings: readonly Finding[]): Promise<AlertEntity[]> {
    const opened: AlertEntity[] = [];
    for (const finding of findings) {
      const alerts = this.database.repository(AlertEntity);
      const { rule, key, severity, title, details, subject, person, seq } = finding;
      const known = await alerts.findOne({
        where: { rule, key, status: Not('resolved') },
        lock: { mode: 'pessimistic_write' },
      });
      if (known) {
        Object.assign(known, { occurrences: known.occurrences + 1, lastSeq: String(seq), details });
        await alerts.save(known);
        continue;
      }
      const now = new Date();
      const acknowledgeBy = new Date(now.getTime() + ACKNOWLEDGE_WITHIN_SECONDS[severity] * 1_000);
      const alert = alerts.create({
        id: uuidv7(),
        rule,
        key,
        severity,
        status: 'open',
        title,
        details,
        subject: subject ? Sealed.of(subject, person) : null,
        occurrences: 1,
        firstSeq: String(seq),
        lastSeq: String(seq),
        openedAt: now,
        acknowledgeBy,
        escalateAt: acknowledgeBy,
        escalations: 0,
      });
      await alerts.insert(alert);
      await this.notifications.add(alert, 'opened');
      opened.push(alert);
    }
    return opened;
  }
}
