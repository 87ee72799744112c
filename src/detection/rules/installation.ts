import type { Memory } from '../memory.js';
import type { Match, ObservedEvent } from '../observed-event.js';
import type { RuleSettings } from '../rule-catalogue.js';

/** What the system itself says of what is wrong with it. */
export function failingDelivery({ body }: ObservedEvent): Match | undefined {
  if (body.action !== 'audit.delivery_failing' && body.action !== 'audit.delivery_refused') return undefined;
  const destination = body.resource?.id ?? '';
  const refused = body.action === 'audit.delivery_refused';
  return {
    key: `${refused ? 'refused' : 'failing'} ${destination}`,
    title: refused ? 'A destination has refused events for good' : 'A destination takes no events',
    details: { destination, ...body.changes },
  };
}

/** A destination that takes events, but fewer than there are, or one that has not taken any for long. */
export function laggingDelivery(
  { body }: ObservedEvent,
  _memory: Memory,
  { threshold }: RuleSettings,
): Match | undefined {
  const { lagSeconds, error } = body.changes ?? {};
  if (body.action !== 'audit.delivery_lagging' || !(Number(lagSeconds) >= threshold * 60)) return undefined;
  const destination = body.resource?.id ?? '';
  return {
    key: destination,
    title: 'A destination is far behind',
    details: { destination, lagSeconds, error },
  };
}

export function expiringCertificate({ body }: ObservedEvent): Match | undefined {
  if (body.action !== 'certificate.expiring') return undefined;
  const { certificate, expiresAt, expired } = body.changes ?? {};
  return {
    key: body.resource?.id ?? String(certificate),
    title: expired === true ? 'A certificate has expired' : 'A certificate expires',
    details: { certificate, expiresAt },
  };
}

/** A log that was verified and found altered, or in which this very rule has found a break. */
export function brokenChain({ body }: ObservedEvent): Match | undefined {
  const verified = body.action === 'audit.verified' && body.changes?.['valid'] === false;
  if (!verified && body.action !== 'audit.chain_broken') return undefined;
  return {
    key: body.resource?.id ?? body.tenant,
    title: 'An audit log is not as it was written',
    details: { ...body.changes },
  };
}
