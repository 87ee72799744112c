import type { Match, ObservedEvent } from '../observed-event.js';

/** Everything that the keys have sealed will be gone: whoever did not want that has days to cancel it. */
export function scheduledDestruction({ body }: ObservedEvent): Match | undefined {
  if (body.action !== 'keys.deletion_scheduled' || body.outcome !== 'success') return undefined;
  const operation = String(body.changes?.['operation']);
  return {
    key: operation,
    title: "The destruction of the organisation's keys was scheduled",
    details: { ...body.changes, by: body.actor },
  };
}
