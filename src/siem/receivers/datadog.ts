import { gzipSync } from 'node:zlib';
import type { OutgoingAnswer, OutgoingRequest } from '../../platform/egress/index.js';
import type { OcsfEvent } from '../ocsf.js';
import {
  commonVerdict,
  type Encoded,
  type HttpReceiver,
  type ReceiverLimits,
  type Verdict,
} from './receiver.js';

export interface DatadogSettings {
  readonly url: string;
  readonly service?: string;
  readonly tags?: readonly string[];
}

/** Datadog's log intake, version 2: an array of entries whose message is the event. */
export class Datadog implements HttpReceiver {
  /** 1,000 entries, 5 MB of a payload and 1 MB of an entry, uncompressed. */
  readonly limits: ReceiverLimits = { events: 1_000, bytes: 5_000_000, eventBytes: 1_000_000 };

  constructor(
    private readonly settings: DatadogSettings,
    private readonly apiKey: string,
  ) {}

  encode(event: OcsfEvent): Buffer {
    const { service = 'waxell', tags = [] } = this.settings;
    return Buffer.from(
      JSON.stringify({
        ddsource: 'waxell',
        ddtags: [`event_id:${event.metadata.uid}`, ...tags].join(','),
        hostname: 'waxell',
        service,
        message: JSON.stringify(event),
      }),
    );
  }

  request(batch: readonly Encoded[]): OutgoingRequest {
    return {
      url: this.settings.url,
      headers: {
        'dd-api-key': this.apiKey,
        'content-type': 'application/json',
        'content-encoding': 'gzip',
      },
      body: gzipSync(arrayOf(batch)),
    };
  }

  judge(answer: OutgoingAnswer): Verdict {
    return commonVerdict(answer) ?? { kind: 'refused_batch', error: `HTTP_${answer.status}` };
  }
}

/** A JSON array of what is JSON already. */
export function arrayOf(batch: readonly Encoded[]): Buffer {
  const parts = batch.flatMap(({ bytes }, at) => (at === 0 ? [bytes] : [Buffer.from(','), bytes]));
  return Buffer.concat([Buffer.from('['), ...parts, Buffer.from(']')]);
}
