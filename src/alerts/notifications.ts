import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { TenantDatabase } from '../platform/database/index.js';
import type { AlertEntity } from './alert.entity.js';

export type NotificationKind = 'opened' | 'reopened' | 'escalated' | 'acknowledged' | 'resolved';

/** What is to be told of an alert, to one channel. */
export interface Notification extends Record<string, unknown> {
  readonly id: string;
  readonly alert_id: string;
  readonly channel_id: string;
  readonly kind: NotificationKind;
  readonly attempts: number;
  readonly created_at: Date;
}

const PER_VISIT = 50;

/** What is to be told, and when, of the tenant in scope. Each is made in the transaction of what it tells of. */
@Injectable()
export class Notifications {
  constructor(private readonly database: TenantDatabase) {}

  /** One for each channel that takes alerts this severe; an alert has its word from the same channels to its end. */
  async add({ id, severity, escalateAt }: AlertEntity, kind: NotificationKind): Promise<void> {
    const channels = await this.database.query<{ id: string }>({
      text: 'SELECT id FROM alert_channels WHERE enabled AND minimum_severity >= $1 ORDER BY id',
      values: [severity],
    });
    for (const channel of channels)
      await this.database.query({
        text: 'INSERT INTO alert_notifications (id, alert_id, channel_id, kind) VALUES ($1, $2, $3, $4)',
        values: [uuidv7(), id, channel.id, kind],
      });
    if (channels.length > 0) await this.attendAt(new Date());
    if (escalateAt) await this.attendAt(escalateAt);
  }

  /** Has somebody look at this tenant's alerts at that time, at the latest. In the running transaction. */
  async attendAt(due: Date): Promise<void> {
    await this.database.query({ text: 'SELECT work.attend_alerts($1)', values: [due] });
  }

  /** Those that are due, in order; of an alert and channel only the first: an end is not told before a beginning. */
  due(): Promise<Notification[]> {
    return this.database.query<Notification>({
      text: `SELECT n.id, n.alert_id, n.channel_id, n.kind, n.attempts, n.created_at FROM alert_notifications n
        WHERE n.ended_at IS NULL AND n.due_at <= now() AND NOT EXISTS (
          SELECT 1 FROM alert_notifications b WHERE b.alert_id = n.alert_id AND b.channel_id = n.channel_id
            AND b.ended_at IS NULL AND b.id < n.id)
        ORDER BY n.id LIMIT ${PER_VISIT}`,
      values: [],
    });
  }

  async end(id: string, error: string | null): Promise<void> {
    const text =
      'UPDATE alert_notifications SET ended_at = now(), error = $2, attempts = attempts + 1 WHERE id = $1';
    await this.database.query({ text, values: [id, error] });
  }

  async postpone(id: string, error: string, seconds: number): Promise<void> {
    await this.database.query({
      text: `UPDATE alert_notifications SET attempts = attempts + 1, error = $2, due_at = now() + make_interval(secs => $3)
        WHERE id = $1`,
      values: [id, error, seconds],
    });
  }

  /** When the next notification or escalation is due; undefined where nothing is. */
  async nextDue(): Promise<Date | undefined> {
    const [row] = await this.database.query<{ due: Date | null }>({
      text: `SELECT least(
          (SELECT min(due_at) FROM alert_notifications WHERE ended_at IS NULL),
          (SELECT min(escalate_at) FROM alerts WHERE status = 'open')) AS due`,
      values: [],
    });
    return row?.due ?? undefined;
  }
}
