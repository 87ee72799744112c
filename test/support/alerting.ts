import { OutgoingPosts, SmtpMailer } from '@waxell/infra';
import { v7 as uuidv7 } from 'uuid';
import { AttendAlerts } from '../../src/alerts/attend-alerts.js';
import { ChannelEntity, type ChannelKind, type Recipient } from '../../src/alerts/channel.entity.js';
import { DeliverNotifications } from '../../src/alerts/deliver-notifications.js';
import { EscalateAlerts } from '../../src/alerts/escalate-alerts.js';
import { AlertEntity, RaiseAlerts, type AlertSeverity } from '../../src/alerts/index.js';
import { Notifications, type NotificationKind } from '../../src/alerts/notifications.js';
import { SendNotification } from '../../src/alerts/send-notification.js';
import { Sealed } from '../../src/encryption/index.js';
import { RegionConfig, WorkerConfig } from '../../src/platform/config/index.js';
import type { TenantRef } from '../../src/platform/database/index.js';
import { Log } from '../../src/platform/observability/log.js';
import { openDetecting, type Detecting } from './detecting.js';

/** Tenants with alerts and channels, and what tells of them. */
export interface Alerting extends Detecting {
  channel(
    tenant: TenantRef,
    kind: ChannelKind,
    recipient: Recipient,
    minimum?: AlertSeverity,
  ): Promise<string>;
  /** Has something found; answers the id of the alert that is opened by it, or opened again. */
  raise(tenant: TenantRef, severity: AlertSeverity, key?: string): Promise<string>;
  /** Has people answer it. */
  answer(tenant: TenantRef, id: string, status: 'acknowledged' | 'resolved'): Promise<void>;
  /** Tells and escalates what is due, as one more process. */
  attend(): Promise<void>;
  passSeconds(tenant: TenantRef, seconds: number): Promise<void>;
}

export async function openAlerting(smtpUrl: string): Promise<Alerting> {
  const test = await openDetecting();
  const { db, inTenant } = test;
  const { cells, database } = db;
  const http = new OutgoingPosts({ allowPrivate: ['127.0.0.0/8'], answerWithinMs: 3_000 });
  const mailer = new SmtpMailer({ url: smtpUrl, from: 'Waxell <alerts@waxell.example>' });
  const notifications = new Notifications(database);
  return {
    ...test,
    channel: (tenant, kind, recipient, minimum = 'P4') =>
      inTenant(tenant, async () => {
        const channels = database.repository(ChannelEntity);
        const id = uuidv7();
        await channels.insert(
          channels.create({
            id,
            name: kind,
            kind,
            minimumSeverity: minimum,
            recipient: Sealed.of(recipient),
            enabled: true,
            createdBy: 'test',
          }),
        );
        return id;
      }),
    raise: (tenant, severity, key = 'k') =>
      inTenant(tenant, async () => {
        const finding = { rule: 'test', key, severity, title: 'Something', details: { n: 1 }, seq: 1 };
        const { opened, reopened } = await new RaiseAlerts(database, notifications).raise([
          { ...finding, subject: { ip: '192.0.2.99' } },
        ]);
        return [...opened, ...reopened][0]?.id ?? '';
      }),
    answer: (tenant, id, status) =>
      inTenant(tenant, async () => {
        const alerts = database.repository(AlertEntity);
        const alert = await alerts.findOneByOrFail({ id });
        const kind: NotificationKind = status;
        const saved = await alerts.save(Object.assign(alert, { status, escalateAt: null }));
        await notifications.add(saved, kind);
      }),
    attend: async () => {
      const work = test.unitOfWork();
      const send = new SendNotification(http, mailer);
      const deliver = new DeliverNotifications(database, notifications, send, work, test.recorder());
      const escalate = new EscalateAlerts(database, work, notifications);
      const regions = new RegionConfig(undefined, {});
      const attending = new AttendAlerts(
        cells,
        database,
        escalate,
        deliver,
        notifications,
        regions,
        new WorkerConfig(1, false),
        new Log('silent'),
      );
      // What a visit has made due is for the next one.
      for (let visit = 0; visit < 3; visit += 1) await attending.round();
    },
    passSeconds: async ({ id }, seconds) => {
      const shift = `- make_interval(secs => ${seconds})`;
      await db.superuser.query(`UPDATE work.alerts SET due_at = due_at ${shift} WHERE tenant = $1`, [id]);
      await db.superuser.query(
        `UPDATE "${id}".alerts SET escalate_at = escalate_at ${shift}, acknowledge_by = acknowledge_by ${shift},
           opened_at = opened_at ${shift}`,
      );
      await db.superuser.query(
        `UPDATE "${id}".alert_notifications SET due_at = due_at ${shift}, created_at = created_at ${shift}
         WHERE ended_at IS NULL`,
      );
    },
    close: async () => {
      mailer.close();
      await http.close();
      await test.close();
    },
  };
}
