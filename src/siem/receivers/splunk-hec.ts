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

export interface SplunkSettings {
  readonly url: string;
  readonly index?: string;
  readonly sourcetype?: string;
}

/** Codes of a 400 that name one event of the batch: invalid data format, event missing, event blank. */
const OF_ONE_EVENT = new Set([6, 12, 13, 15]);
/** Codes of a 400 that somebody has to put right at the receiver: no data, incorrect index, channel, query string. */
const CONFIGURATION = new Set([5, 7, 10, 11, 14, 16]);

/** Splunk's HTTP Event Collector: JSON objects one after another, to `/services/collector/event`. */
export class SplunkHec implements HttpReceiver {
  /** Splunk Cloud takes 1 MB of a request; a collector of one's own takes more. */
  readonly limits: ReceiverLimits = { events: 1_000, bytes: 1_000_000, eventBytes: 1_000_000 };

  constructor(
    private readonly settings: SplunkSettings,
    private readonly token: string,
  ) {}

  encode(event: OcsfEvent): Buffer {
    const { index, sourcetype = 'waxell:ocsf' } = this.settings;
    return Buffer.from(
      JSON.stringify({
        time: event.time / 1_000,
        source: 'waxell',
        sourcetype,
        ...(index !== undefined && { index }),
        fields: { event_id: event.metadata.uid, seq: String(event.metadata.sequence) },
        event,
      }),
    );
  }

  request(batch: readonly Encoded[]): OutgoingRequest {
    return {
      url: collectorUrl(this.settings.url),
      headers: {
        authorization: `Splunk ${this.token}`,
        'content-type': 'application/json',
        'content-encoding': 'gzip',
      },
      body: gzipSync(Buffer.concat(batch.map(({ bytes }) => bytes))),
    };
  }

  judge(answer: OutgoingAnswer): Verdict {
    const common = commonVerdict(answer);
    if (common) return common;
    const { code, 'invalid-event-number': index } = parsed(answer.text);
    const error = `HEC_${code ?? answer.status}`;
    if (code !== undefined && CONFIGURATION.has(code)) return { kind: 'later', error };
    if (code !== undefined && OF_ONE_EVENT.has(code) && Number.isInteger(index))
      return { kind: 'refused_event', index: Number(index), error };
    return { kind: 'refused_batch', error };
  }
}

/** The collector's base URL, or the whole of it. */
function collectorUrl(configured: string): string {
  const url = new URL(configured);
  if (url.pathname === '/') url.pathname = '/services/collector/event';
  return url.href;
}

function parsed(text: string): { code?: number; 'invalid-event-number'?: number } {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}
