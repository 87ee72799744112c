import { webhookHeaders, type OutgoingAnswer, type OutgoingRequest } from '../../platform/egress/index.js';
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

/**
 * Any HTTPS endpoint, signed as Standard Webhooks 1.0 says. The id is that of the batch, the same whenever it is sent
 * again.
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
    const id = `${this.name}:${batch[0]?.name ?? `${batch[0]?.seq ?? 0}-${batch.at(-1)?.seq ?? 0}`}`;
    return { url: this.settings.url, headers: webhookHeaders(this.secrets, id, now, body), body };
  }

  judge(answer: OutgoingAnswer): Verdict {
    return commonVerdict(answer) ?? { kind: 'refused_batch', error: `HTTP_${answer.status}` };
  }
}
