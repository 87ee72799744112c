import { Injectable } from '@nestjs/common';
import { LessThan } from 'typeorm';
import { FieldEncryption } from '../encryption/index.js';
import { currentTenant, TenantDatabase } from '../platform/database/index.js';
import { ResourceNotFound } from '../platform/http/errors.js';
import { cursorKey, pageOf, UUID_KEY } from '../platform/http/pagination.js';
import { VersionMismatch } from '../platform/http/parameters.js';
import { auditDetails, type Actor } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { alertDto } from './alert-dto.js';
import { AlertEntity } from './alert.entity.js';
import type { AlertDto, AlertPageDto, AlertsQuery } from './alerts.dto.js';
import { AlertResolved } from './alerts.errors.js';
import { Notifications } from './notifications.js';

/** The alerts of the organisation in scope, as people look at them and say what came of them. */
@Injectable()
export class Alerts {
  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
    private readonly notifications: Notifications,
    private readonly encryption: FieldEncryption,
  ) {}

  /** The newest first. */
  async list({ cursor, limit, status, severity, rule }: AlertsQuery): Promise<AlertPageDto> {
    const before = cursorKey(cursor, UUID_KEY);
    const rows = await this.database.repository(AlertEntity).find({
      where: {
        ...(before !== undefined && { id: LessThan(before) }),
        ...(status && { status }),
        ...(severity && { severity }),
        ...(rule !== undefined && { rule }),
      },
      order: { id: 'DESC' },
      take: limit + 1,
    });
    return pageOf(
      rows,
      limit,
      ({ id }) => id,
      (alert) => alertDto(alert),
    );
  }

  async get(id: string): Promise<AlertDto> {
    const alert = await this.database.repository(AlertEntity).findOneBy({ id });
    if (!alert) throw new ResourceNotFound('alert');
    auditDetails({ resource: { type: 'alert', id } });
    return alertDto(alert);
  }

  /** Says that somebody is looking at it. Repeating it changes nothing. */
  acknowledge(actor: Actor, id: string, version: number | undefined): Promise<AlertDto> {
    return this.#change(id, version, (alert) => {
      if (alert.status === 'resolved') throw new AlertResolved();
      if (alert.status === 'acknowledged') return false;
      alert.status = 'acknowledged';
      alert.escalateAt = null;
      alert.acknowledgedAt = new Date();
      alert.acknowledgedBy = actor.id;
      return true;
    });
  }

  /** Says that it is over. If it is found again, that is another alert. */
  resolve(actor: Actor, id: string, version: number | undefined): Promise<AlertDto> {
    return this.#change(id, version, (alert) => {
      if (alert.status === 'resolved') return false;
      alert.status = 'resolved';
      alert.escalateAt = null;
      alert.resolvedAt = new Date();
      alert.resolvedBy = actor.id;
      return true;
    });
  }

  async #concerned({ subject }: AlertEntity): Promise<string | undefined> {
    const stored = subject?.revealUnlessErased() ? subject.bytes : undefined;
    return stored && this.encryption.personOf(currentTenant(), stored);
  }

  #change(
    id: string,
    version: number | undefined,
    change: (alert: AlertEntity) => boolean,
  ): Promise<AlertDto> {
    return this.work.run(async () => {
      const alerts = this.database.repository(AlertEntity);
      const alert = await alerts.findOne({ where: { id }, lock: { mode: 'pessimistic_write' } });
      if (!alert) throw new ResourceNotFound('alert');
      if (version !== undefined && version !== alert.version) throw new VersionMismatch();
      const changed = change(alert);
      const { rule, severity, status, title } = alert;
      auditDetails({ resource: { type: 'alert', id }, changes: { rule, severity, status, title } });
      // The answer says whom it concerns: where it is kept, it is kept as theirs.
      auditDetails({ subject: await this.#concerned(alert) });
      if (!changed) return alertDto(alert);
      const saved = await alerts.save(alert);
      await this.notifications.add(saved, status === 'resolved' ? 'resolved' : 'acknowledged');
      return alertDto(saved);
    });
  }
}
