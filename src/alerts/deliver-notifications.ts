import { Injectable } from '@nestjs/common';
import { EventRecorder } from '../audit/index.js';
import { TenantDatabase, type TenantRef } from '../platform/database/index.js';
import { UnitOfWork } from '../requests/index.js';
import { AlertEntity } from './alert.entity.js';
import { ChannelEntity } from './channel.entity.js';
import { Notifications, type Notification } from './notifications.js';
import { SendNotification } from './send-notification.js';

const LONGEST_PAUSE_SECONDS = 300;
/** An alert that could not be told for a day is told by nobody's channel any more, but by its list. */
const GIVEN_UP_MS = 86_400_000;

/** Sends what is due of the tenant in scope; noted as sent only afterwards, so that it is told at least once. */
@Injectable()
export class DeliverNotifications {
  constructor(
    private readonly database: TenantDatabase,
    private readonly notifications: Notifications,
    private readonly send: SendNotification,
    private readonly work: UnitOfWork,
    private readonly events: EventRecorder,
  ) {}

  async execute(tenant: TenantRef): Promise<void> {
    for (const notification of await this.notifications.due()) await this.#deliver(tenant, notification);
  }

  async #deliver(tenant: TenantRef, notification: Notification): Promise<void> {
    const { id, kind, attempts, created_at: createdAt } = notification;
    const [alert, channel] = await Promise.all([
      this.database.repository(AlertEntity).findOneBy({ id: notification.alert_id }),
      this.database.repository(ChannelEntity).findOneBy({ id: notification.channel_id }),
    ]);
    if (!alert || !channel?.enabled) return this.#note(() => this.notifications.end(id, 'CHANNEL_DISABLED'));
    const sent = await this.send.execute(channel, { id, tenant: tenant.id, kind, alert });
    if (sent.taken) return this.#note(() => this.notifications.end(id, null));
    const givenUp = sent.final || Date.now() - createdAt.getTime() > GIVEN_UP_MS;
    if (!givenUp) {
      const pause = Math.min(2 ** Math.min(attempts, 20), LONGEST_PAUSE_SECONDS) * (0.5 + Math.random() / 2);
      return this.#note(() => this.notifications.postpone(id, sent.error, pause));
    }
    await this.events.record(tenant, {
      action: 'alert.notification_failed',
      actor: { type: 'system', id: 'alerts' },
      outcome: 'failure',
      resource: { type: 'alert', id: alert.id },
      changes: { channel: channel.id, kind, error: sent.error, title: alert.title },
    });
    return this.#note(() => this.notifications.end(id, sent.error));
  }

  #note(change: () => Promise<void>): Promise<void> {
    return this.work.bookkeeping('what was told is no event: the alert is', change);
  }
}
