import { Injectable } from '@nestjs/common';
import { Mailer, OutgoingHttp, webhookHeaders, type OutgoingRequest } from '../platform/egress/index.js';
import { alertDto } from './alert-dto.js';
import type { ChannelEntity, Recipient } from './channel.entity.js';
import type { NotificationKind } from './notifications.js';
import { pagerDutyRequests } from './pagerduty.js';
import type { Sent, Word } from './word.js';

const TAKEN: Sent = { taken: true };
/** What was wrong with the request is wrong for ever; credentials and addresses somebody may put right. */
const FINAL = new Set([400, 410, 413, 422]);

/** Sends one notification through one channel. Whom the alert concerns is not told: who gets it reads it in the API. */
@Injectable()
export class SendNotification {
  constructor(
    private readonly http: OutgoingHttp,
    private readonly mailer: Mailer,
  ) {}

  /** Within the tenant's scope. Never rejects. */
  async execute({ kind, recipient }: ChannelEntity, word: Word): Promise<Sent> {
    const to = recipient.reveal();
    switch (kind) {
      case 'pagerduty':
        return this.#posted(pagerDutyRequests(to, word));
      case 'webhook':
        return this.#posted([webhookRequest(to, word)]);
      case 'email':
        return this.#mailed(to, word);
    }
  }

  async #posted(requests: readonly OutgoingRequest[]): Promise<Sent> {
    for (const request of requests) {
      try {
        const { status } = await this.http.post(request);
        if (status < 200 || status >= 300)
          return { taken: false, error: `HTTP_${status}`, final: FINAL.has(status) };
      } catch (error) {
        const { name, code } = error as { name?: unknown; code?: unknown };
        const own = name === 'EgressError' && typeof code === 'string' ? code : undefined;
        return { taken: false, error: own ?? 'UNREACHABLE', final: false };
      }
    }
    return TAKEN;
  }

  async #mailed({ to = [] }: Recipient, word: Word): Promise<Sent> {
    try {
      const { alert, kind, id } = word;
      await this.mailer.send({
        to,
        subject: `[${alert.severity}] ${SUBJECTS[kind]}${alert.title}`,
        text: mailText(word),
        messageId: `<${id}@alerts.waxell>`,
      });
      return TAKEN;
    } catch (error) {
      const { responseCode } = error as { responseCode?: unknown };
      const code = typeof responseCode === 'number' ? `SMTP_${responseCode}` : 'MAIL_UNREACHABLE';
      return { taken: false, error: code, final: false };
    }
  }
}

const SUBJECTS: Readonly<Record<NotificationKind, string>> = {
  opened: '',
  reopened: 'Again: ',
  escalated: 'Not acknowledged in time: ',
  acknowledged: 'Acknowledged: ',
  resolved: 'Resolved: ',
};

function webhookRequest(
  { url = '', secret = '' }: Recipient,
  { id, tenant, kind, alert }: Word,
): OutgoingRequest {
  const { subject: _subject, ...told } = alertDto(alert);
  const body = Buffer.from(JSON.stringify({ type: `alert.${kind}`, tenant, alert: told }));
  return { url, headers: webhookHeaders([secret], id, new Date(), body), body };
}

function mailText({ kind, alert, tenant }: Word): string {
  const lines = [
    alert.title,
    '',
    `What has happened: ${kind}`,
    `Severity: ${alert.severity}, to be acknowledged by ${alert.acknowledgeBy.toISOString()}`,
    `Rule: ${alert.rule}`,
    `Organisation: ${tenant}`,
    `Details: ${JSON.stringify(alert.details)}`,
    '',
    `Read it at GET /v1/alerts/${alert.id}; answer with POST .../acknowledge and .../resolve.`,
  ];
  return `${lines.join('\n')}\n`;
}
