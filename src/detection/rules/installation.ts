import type { Match, ObservedEvent } from '../observed-event.js';

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
