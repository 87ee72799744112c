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

/** What findings have come to. */
export interface Raised {
  readonly opened: readonly AlertEntity[];
  /** Somebody had acknowledged these, and did not know of what was found after that. */
  readonly reopened: readonly AlertEntity[];
}

/** Opens alerts, in the running transaction of the tenant in scope. */
@Injectable()
export class RaiseAlerts {
  constructor(
    private readonly database: TenantDatabase,
    private readonly notifications: Notifications,
  ) {}

  /**
   * A finding of an alert that is not resolved is counted there. Where somebody had acknowledged it, it is open again and
   * told again: once, until somebody acknowledges that as well.
   */
  async raise(findings: readonly Finding[]): Promise<Raised> {
    const opened: AlertEntity[] = [];
    const reopened: AlertEntity[] = [];
    for (const finding of findings) {
      const { rule, key } = finding;
      const known = await this.database.repository(AlertEntity).findOne({
        where: { rule, key, status: Not('resolved') },
        lock: { mode: 'pessimistic_write' },
      });
      if (!known) opened.push(await this.#open(finding));
      else if (await this.#again(known, finding)) reopened.push(known);
    }
    return { opened, reopened };
  }

  async #open({ rule, key, severity, title, details, subject, person, seq }: Finding): Promise<AlertEntity> {
    const alerts = this.database.repository(AlertEntity);
    const now = new Date();
    const acknowledgeBy = deadlineOf(severity, now);
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
      reopenings: 0,
    });
    await alerts.insert(alert);
    await this.notifications.add(alert, 'opened');
    return alert;
  }

  /** Answers whether it was acknowledged, and is open again. */
  async #again(alert: AlertEntity, { details, seq }: Finding): Promise<boolean> {
    const acknowledged = alert.status === 'acknowledged';
    // It goes on, although nobody has looked when they were told for the last time: they are told once more.
    const heardNothing = !acknowledged && alert.escalateAt === null;
    const next = deadlineOf(alert.severity, new Date());
    Object.assign(alert, { occurrences: alert.occurrences + 1, lastSeq: String(seq), details });
    if (acknowledged)
      Object.assign(alert, {
        status: 'open',
        acknowledgedAt: null,
        acknowledgedBy: null,
        acknowledgeBy: next,
        escalations: 0,
        reopenings: alert.reopenings + 1,
      });
    if (acknowledged || heardNothing) alert.escalateAt = next;
    await this.database.repository(AlertEntity).save(alert);
    if (acknowledged) await this.notifications.add(alert, 'reopened');
    if (heardNothing) await this.notifications.attendAt(next);
    return acknowledged;
  }
}

function deadlineOf(severity: AlertSeverity, now: Date): Date {
  return new Date(now.getTime() + ACKNOWLEDGE_WITHIN_SECONDS[severity] * 1_000);
}
