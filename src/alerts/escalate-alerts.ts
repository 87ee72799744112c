import { Injectable } from '@nestjs/common';
import { LessThanOrEqual } from 'typeorm';
import type { AuditEvent } from '../audit/index.js';
import { TenantDatabase } from '../platform/database/index.js';
import { UnitOfWork } from '../requests/index.js';
import { AlertEntity } from './alert.entity.js';
import { Notifications } from './notifications.js';
import { ACKNOWLEDGE_WITHIN_SECONDS } from './severity.js';

const PER_VISIT = 50;
/** So often it is told again; somebody who has not looked by then needs another channel. */
const MOST_ESCALATIONS = 3;

/** Tells again of alerts that nobody has acknowledged in time: after that time, and twice more after the same again. */
@Injectable()
export class EscalateAlerts {
  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
    private readonly notifications: Notifications,
  ) {}

  /** Those of the tenant in scope that are overdue. */
  async execute(): Promise<void> {
    const overdue = await this.database.repository(AlertEntity).find({
      where: { status: 'open', escalateAt: LessThanOrEqual(new Date()) },
      order: { id: 'ASC' },
      take: PER_VISIT,
    });
    for (const { id } of overdue) await this.#escalate(id);
  }

  async #escalate(id: string): Promise<void> {
    try {
      await this.work.runAs(escalatedEvent, async () => {
        const alerts = this.database.repository(AlertEntity);
        const alert = await alerts.findOne({ where: { id }, lock: { mode: 'pessimistic_write' } });
        const due = alert?.status === 'open' && alert.escalateAt && alert.escalateAt <= new Date();
        if (!alert || !due) throw new AnsweredMeanwhile();
        alert.escalations += 1;
        const again = new Date(Date.now() + ACKNOWLEDGE_WITHIN_SECONDS[alert.severity] * 1_000);
        alert.escalateAt = alert.escalations < MOST_ESCALATIONS ? again : null;
        const saved = await alerts.save(alert);
        await this.notifications.add(saved, 'escalated');
        return saved;
      });
    } catch (error) {
      if (!(error instanceof AnsweredMeanwhile)) throw error;
    }
  }
}

/** Somebody was faster: there is nothing to escalate, and no event of it. */
class AnsweredMeanwhile extends Error {}

function escalatedEvent({ id, rule, severity, title, escalations }: AlertEntity): AuditEvent {
  return {
    action: 'alert.escalated',
    actor: { type: 'system', id: 'alerts' },
    outcome: 'success',
    resource: { type: 'alert', id },
    changes: { rule, severity, title, escalations },
  };
}
