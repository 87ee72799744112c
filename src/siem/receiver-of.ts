import type { Credentials, DestinationEntity } from './destination.entity.js';
import { Datadog } from './receivers/datadog.js';
import type { HttpReceiver } from './receivers/receiver.js';
import { SplunkHec } from './receivers/splunk-hec.js';
import { Webhook } from './receivers/webhook.js';

/** The receiver of a destination, with its secrets; undefined for standard output. Within the tenant's scope. */
export function receiverOf(destination: DestinationEntity, now: Date): HttpReceiver | undefined {
  const { kind, id } = destination;
  const { url = '', ...settings } = destination.settings;
  const credentials = destination.credentials?.reveal() ?? { current: '' };
  switch (kind) {
    case 'splunk_hec':
      return new SplunkHec({ url, ...settings }, credentials.current);
    case 'datadog':
      return new Datadog({ url, ...settings }, credentials.current);
    case 'webhook':
      return new Webhook({ url }, id, secretsOf(credentials, now));
    case 'stdout':
      return undefined;
  }
}

function secretsOf({ current, previous }: Credentials, now: Date): string[] {
  return [current, ...(previous && Date.parse(previous.until) > now.getTime() ? [previous.secret] : [])];
}
