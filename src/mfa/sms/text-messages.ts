import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { SecondFactorConfig } from '../../platform/config/index.js';
import { OutgoingHttp, webhookHeaders } from '../../platform/egress/index.js';
import { Log } from '../../platform/observability/log.js';
import { TextMessageNotTaken } from './sms.errors.js';

/** Somebody waits for the answer. */
const WITHIN_MS = 5_000;
const TRIES = 2;

/** Hands text messages to the operator's gateway: `{to, text}`, signed as Standard Webhooks 1.0 says, once more where it was not taken. */
@Injectable()
export class TextMessages {
  constructor(
    private readonly config: SecondFactorConfig,
    private readonly http: OutgoingHttp,
    private readonly log: Log,
  ) {}

  /** @throws {TextMessageNotTaken} */
  async send(to: string, text: string): Promise<void> {
    const { textMessages } = this.config;
    if (!textMessages) throw new TextMessageNotTaken();
    const { url, secret } = textMessages;
    // The same both times: whoever took the first leaves the second.
    const id = uuidv7();
    const body = Buffer.from(JSON.stringify({ to, text }));
    for (let tries = 0; tries < TRIES; tries += 1) {
      const headers = webhookHeaders([secret], id, new Date(), body);
      const why = await this.http.post({ url, headers, body, withinMs: WITHIN_MS }).then(
        ({ status }) => (status >= 200 && status < 300 ? undefined : `it answered ${status}`),
        () => 'there was no answer',
      );
      if (why === undefined) return;
      this.log.warn(`A text message was not taken by the gateway: ${why}.`);
    }
    throw new TextMessageNotTaken();
  }
}
