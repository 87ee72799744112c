import type { RunOutcome } from '@waxell/runtime';
import type { RunEventBody } from '@waxell/sdk';
import type { AuditEvent } from '../audit/index.js';
import type { AuditAction } from '../platform/events/index.js';
import type { RunCreator } from './run-creator.js';

/** What a run's end is called, in its own events and in the audit log. */
export function ended(
  outcome: RunOutcome,
): Extract<RunEventBody, { type: 'run.completed' | 'run.failed' | 'run.cancelled' }> {
  switch (outcome.status) {
    case 'COMPLETED':
      return { type: 'run.completed' };
    case 'FAILED':
      return { type: 'run.failed', error: outcome.error };
    case 'CANCELLED':
      return { type: 'run.cancelled' };
  }
}

/** The worker acts for whoever has ordered the run; of support that was, the person for whom it did is named too. */
export function runEvent(
  action: AuditAction,
  id: string,
  { id: onBehalfOf, userId }: RunCreator,
  changes: Record<string, unknown>,
  reason?: string,
): AuditEvent {
  const outcome = action === 'run.failed' ? 'failure' : 'success';
  return {
    action,
    actor: { type: 'system', id: 'worker', onBehalfOf, ...(userId !== undefined && { userId }) },
    outcome,
    resource: { type: 'run', id },
    changes,
    reason,
  };
}
