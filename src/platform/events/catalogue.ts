import {
  account,
  api,
  authentication,
  type CatalogueEntry,
  type EventCategory,
  type EventSeverity,
  type OcsfActivity,
} from './catalogue-entry.js';

type Row = readonly [EventCategory, EventSeverity, OcsfActivity, means: string];

/**
 * Every event that the audit log can hold. An action that is not here does not compile, and one that is here and that
 * nothing records fails a test. An action, once released, keeps its meaning for ever: logs are kept for years.
 */
const ROWS = {
  'session.created': ['authentication', 'informational', authentication('logon'), 'Somebody signed in.'],
  'session.refreshed': [
    'authentication',
    'informational',
    authentication('other'),
    'A session got new tokens.',
  ],
  'session.ended': ['authentication', 'informational', authentication('logoff'), 'Somebody signed out.'],
  'session.stepped_up': [
    'authentication',
    'low',
    authentication('other'),
    'A session proved its password again.',
  ],
  'profile.read': ['data_access', 'informational', api('read'), 'Somebody read who they are.'],
  'user.created': ['administration', 'medium', account('create'), 'A person was added, with a role.'],
  'user.updated': ['administration', 'medium', account('other'), "A person's role or status was changed."],
  'user.listed': ['data_access', 'informational', api('read'), 'People were listed.'],
  'api_key.created': ['api_key', 'medium', api('create'), 'An API key was created.'],
  'api_key.listed': ['api_key', 'informational', api('read'), 'API keys were listed, without secrets.'],
  'api_key.revoked': ['api_key', 'low', api('delete'), 'An API key was revoked.'],
  'keys.rotated': ['administration', 'medium', api('update'), 'New keys seal what is stored from now on.'],
  'keys.rewrapped': ['administration', 'low', api('update'), 'Nothing stored needs the older keys any more.'],
  'keys.read': ['data_access', 'informational', api('read'), 'Ids, ages and states of keys were read.'],
  'keys.updated': ['administration', 'medium', api('update'), 'The age at which keys are replaced was set.'],
  'keys.rotation_requested': ['administration', 'medium', api('create'), 'A rotation of keys was asked for.'],
  'keys.customer_key_attached': [
    'administration',
    'high',
    api('update'),
    'Keys go under a key of the customer.',
  ],
  'keys.customer_key_detached': [
    'administration',
    'high',
    api('update'),
    'Keys go under a key of ours again.',
  ],
  'keys.deletion_scheduled': ['administration', 'critical', api('create'), 'Keys are going to be destroyed.'],
  'keys.deletion_cancelled': ['administration', 'high', api('delete'), 'Keys are not going to be destroyed.'],
  'keys.destroyed': [
    'administration',
    'critical',
    api('delete'),
    'Keys were destroyed, and what they had sealed.',
  ],
  'project.created': ['resource', 'informational', api('create'), 'A project was created.'],
  'project.listed': ['data_access', 'informational', api('read'), 'Projects were listed.'],
  'agent.created': ['resource', 'informational', api('create'), 'An agent was created.'],
  'agent.listed': ['data_access', 'informational', api('read'), 'Agents were listed.'],
  'agent.read': ['data_access', 'informational', api('read'), 'An agent was read.'],
  'agent.updated': ['resource', 'informational', api('update'), 'The draft of an agent was changed.'],
  'agent.published': ['resource', 'low', api('update'), 'A version of an agent was published.'],
  'agent.deleted': ['resource', 'low', api('delete'), 'An agent was deleted.'],
  'run.created': ['run', 'informational', api('create'), 'A run was ordered.'],
  'run.started': ['run', 'informational', api('other'), 'A worker began a run.'],
  'run.resumed': ['run', 'low', api('other'), 'A worker began a run anew after another was lost.'],
  'run.completed': ['run', 'informational', api('other'), 'A run ended with its output.'],
  'run.failed': ['run', 'low', api('other'), 'A run ended without output.'],
  'run.cancelled': ['run', 'informational', api('other'), 'A run was ended before its time.'],
  'run.cancel_requested': ['run', 'informational', api('update'), 'The end of a run was asked for.'],
  'run.listed': ['data_access', 'informational', api('read'), 'Runs were listed.'],
  'run.read': ['data_access', 'informational', api('read'), 'A run was read, with its output.'],
  'run.watched': ['data_access', 'informational', api('read'), 'The events of a run were read.'],
  'network_rules.read': ['administration', 'informational', api('read'), 'Network rules were read.'],
  'network_rules.updated': ['administration', 'high', api('update'), 'Network rules were replaced.'],
  'network_rules.cleared': ['administration', 'high', api('delete'), 'The operator took network rules away.'],
  'rate_limits.read': ['administration', 'informational', api('read'), 'Rate limits were read.'],
  'rate_limits.updated': ['administration', 'medium', api('update'), 'Rate limits were changed.'],
  'organisation.exported': ['data_access', 'high', api('read'), 'An organisation took its export.'],
  'organisation.export_written': ['data_access', 'medium', api('create'), 'An export was written.'],
  'tenant.created': ['administration', 'medium', api('create'), 'An organisation was created.'],
  'tenant.listed': ['administration', 'informational', api('read'), 'Organisations were listed.'],
  'tenant.read': ['administration', 'informational', api('read'), 'The entry of an organisation was read.'],
  'tenant.updated': ['administration', 'medium', api('update'), 'An organisation was renamed or limited.'],
  'tenant.suspended': ['administration', 'high', api('update'), 'An organisation was suspended.'],
  'tenant.resumed': ['administration', 'medium', api('update'), 'An organisation is served again.'],
  'tenant.deleted': ['administration', 'high', api('delete'), 'An organisation is to be deleted.'],
  'tenant.restored': ['administration', 'medium', api('update'), 'A deletion was taken back.'],
  'tenant.purge_advanced': ['administration', 'medium', api('delete'), 'A purge has come a step further.'],
  'tenant.purge_begun': ['administration', 'high', api('delete'), 'The purge of an organisation has begun.'],
  'tenant.purged': ['administration', 'high', api('delete'), 'All of an organisation is gone.'],
  'tenant.exported': ['data_access', 'high', api('read'), 'The operator read the export of an organisation.'],
  'tenant.usage_read': ['administration', 'informational', api('read'), 'The use of quotas was read.'],
  'tenant.operations_read': ['administration', 'informational', api('read'), 'Operations were listed.'],
  'tenant.operation_read': ['administration', 'informational', api('read'), 'An operation was read.'],
  'tenant.move_requested': ['administration', 'medium', api('update'), 'A move to another cell was ordered.'],
  'tenant.move_cancel_requested': ['administration', 'medium', api('update'), 'The end of a move was asked.'],
  'tenant.move_undone': ['administration', 'medium', api('update'), 'A move was taken back before its end.'],
  'tenant.moved': ['administration', 'high', api('update'), 'An organisation lives in another cell.'],
  'audit.events_read': ['data_access', 'low', api('read'), 'The audit log was read.'],
  'audit.verified': ['data_access', 'informational', api('read'), 'The audit log was recomputed.'],
  'audit.exported': ['data_access', 'high', api('read'), 'The audit log was exported.'],
  'audit.checkpoint_read': ['data_access', 'informational', api('read'), 'A checkpoint was read.'],
  'audit.checkpoints_listed': ['data_access', 'informational', api('read'), 'Checkpoints were listed.'],
  'audit.inclusion_proven': ['data_access', 'informational', api('read'), 'An event was proven to be in.'],
  'audit.consistency_proven': ['data_access', 'informational', api('read'), 'A log was proven to go on.'],
  'audit.publication_proven': ['data_access', 'informational', api('read'), 'A checkpoint was proven.'],
  'audit.delivery_failing': ['system', 'high', api('other'), 'A destination has taken nothing for minutes.'],
  'audit.delivery_refused': ['system', 'high', api('other'), 'A destination refused events for good.'],
  'audit_destination.created': ['administration', 'high', api('create'), 'A destination was added.'],
  'audit_destination.listed': ['administration', 'informational', api('read'), 'Destinations were listed.'],
  'audit_destination.read': ['administration', 'informational', api('read'), 'A destination was read.'],
  'audit_destination.updated': ['administration', 'high', api('update'), 'A destination was changed.'],
  'audit_destination.deleted': ['administration', 'high', api('delete'), 'A destination was taken away.'],
  'audit_destination.tested': ['administration', 'low', api('other'), 'A made-up event was sent.'],
  'audit_destination.paused': ['administration', 'high', api('update'), 'Delivery was paused.'],
  'audit_destination.resumed': ['administration', 'medium', api('update'), 'Delivery goes on.'],
  'audit_destination.secret_rotated': ['administration', 'medium', api('update'), 'A new secret signs.'],
  'audit_destination.dead_letters_listed': [
    'administration',
    'informational',
    api('read'),
    'What a destination refused was listed.',
  ],
  'audit.event_rejected': ['system', 'critical', api('other'), 'The outbox held what is no event.'],
  'checkpoint_key.rotated': ['administration', 'high', api('update'), 'Checkpoints get a new signing key.'],
  'request.rejected': ['authorization', 'low', api('other'), 'A request met no known route.'],
  'request.rate_limited': ['system', 'low', api('other'), 'Requests were refused as too many, counted.'],
} as const satisfies Record<string, Row>;

/** The name of an event. */
export type AuditAction = keyof typeof ROWS;

export const AUDIT_ACTIONS = Object.keys(ROWS) as readonly AuditAction[];

/** The entry of an action; undefined for one that this version does not know. */
export function catalogued(action: string): CatalogueEntry | undefined {
  if (!Object.hasOwn(ROWS, action)) return undefined;
  const [category, severity, ocsf, means] = ROWS[action as AuditAction];
  return { category, severity, ocsf, means };
}
