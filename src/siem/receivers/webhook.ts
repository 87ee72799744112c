import { createHmac, randomBytes } from 'node:crypto';
import type { OutgoingAnswer, OutgoingRequest } from '../../platform/egress/index.js';
import type { OcsfEvent } from '../ocsf.js';
import { arrayOf } from './datadog.js';
import {
  commonVerdict,
  type Encoded,
  type HttpReceiver,
  type ReceiverLimits,
  type Verdict,
} from './receiver.js';

export interface WebhookSettings {
  readonly url: string;
}

const PREFIX = 'whsec_';

/** A secret in the form of Standard Webhooks: 32 bytes, which never leave but when it is made. */
export function newWebhookSecret(): string {
  return `${PREFIX}${randomBytes(32).toString('base64')}`;
}

/**
 * Any HTTPS endpoint, signed as Standard Webhooks 1.0 says: HMAC-SHA-256 over id, time and body, by each secret that
 * holds. The id is that of the batch, the same whenever it is sent again; with the time it tells a replay.
 */
export class Webhook implements HttpReceiver {
  readonly limits: ReceiverLimits = { events: 500, bytes: 1_000_000, eventBytes: 1_000_000 };

  constructor(
    private readonly settings: WebhookSettings,
    /** Of the destination: the ids of two destinations differ. */
    private readonly name: string,
    private readonly secrets: readonly string[],
  ) {}

  encode(event: OcsfEvent): Buffer {
    return Buffer.from(JSON.stringify(event));
  }

  request(batch: readonly Encoded[], now: Date): OutgoingRequest {
    const body = Buffer.concat([Buffer.from('{"events":'), arrayOf(batch), Buffer.from('}')]);
    const id = `${this.name}:${batch[0]?.seq ?? 0}-${batch.at(-1)?.seq ?? 0}`;
    const timestamp = String(Math.floor(now.getTime() / 1_000));
    return {
      url: this.settings.url,
      headers: {
        'content-type': 'application/json',
        'webhook-id': id,
        'webhook-timestamp': timestamp,
        'webhook-signature': this.secrets
          .map((secret) => `v1,${signature(secret, id, timestamp, body)}`)
          .join(' '),
      },
      body,
    };
  }

  judge(answer: OutgoingAnswer): Verdict {
    return commonVerdict(answer) ?? { kind: 'refused_batch', error: `HTTP_${answer.status}` };
  }
}

/** Base64, as Standard Webhooks has it. */
export function signature(secret: string, id: string, timestamp: string, body: Buffer): string {
  const key = Buffer.from(secret.slice(PREFIX.length), 'base64');
  return createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64');
}
