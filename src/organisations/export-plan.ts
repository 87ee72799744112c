/** How a column is exported: as it is, opened (of which row it is sealed for), or not, for a reason. */
type Column = 'plain' | 'sealed' | { readonly leftOut: string };

export interface ExportedTable {
  readonly table: string;
  /** The primary key, with its types: rows are read in its order. */
  readonly key: readonly (readonly [column: string, type: string])[];
  readonly columns: Readonly<Record<string, Column>>;
}

const SECRET_HASH = { leftOut: 'the hash of a secret: of use only to who wants to guess it' };
const FINGERPRINT = { leftOut: 'a hash of address and browser, which says nothing' };
const INDEX = { leftOut: 'a blind index, which follows from the value' };
const plain = (...names: string[]): Record<string, Column> =>
  Object.fromEntries(names.map((name) => [name, 'plain']));
const ID = [['id', 'uuid']] as const;

/**
 * What of a tenant's schema an export has, column by column. A test holds it against the schema: a new column is listed
 * here, as exported or as left out, or the test fails.
 */
export const EXPORTED_TABLES: readonly ExportedTable[] = [
  {
    table: 'users',
    key: ID,
    columns: {
      ...plain('id', 'role', 'status', 'epoch', 'version', 'created_at', 'updated_at'),
      ...plain('second_factor_asked_at'),
      email: 'sealed',
      display_name: 'sealed',
      phone: 'sealed',
      email_index: INDEX,
      email_index_alt: INDEX,
      password_hash: SECRET_HASH,
    },
  },
  {
    table: 'sessions',
    key: ID,
    columns: {
      ...plain('id', 'user_id', 'created_at', 'expires_at', 'revoked_at', 'stepped_up_at', 'ends_at'),
      ...plain('method', 'last_used_at', 'second_factor_at', 'enrolment_only'),
      client: 'sealed',
      token_hash: SECRET_HASH,
      fingerprint: FINGERPRINT,
      exact_fingerprint: FINGERPRINT,
      agent_fingerprint: FINGERPRINT,
    },
  },
  {
    table: 'refresh_tokens',
    key: ID,
    columns: {
      ...plain('id', 'session_id', 'expires_at', 'used_at', 'key_thumbprint'),
      token_hash: SECRET_HASH,
    },
  },
  {
    table: 'api_keys',
    key: ID,
    columns: {
      ...plain('id', 'name', 'prefix', 'scopes', 'user_id', 'created_at', 'expires_at', 'revoked_at'),
      ...plain('last_used_at', 'allowed_networks', 'projects', 'requests_per_minute', 'replaced_by'),
      secret_hash: SECRET_HASH,
    },
  },
  {
    table: 'projects',
    key: ID,
    columns: {
      ...plain('id', 'name', 'description', 'environment', 'tags'),
      ...plain('version', 'created_by', 'created_at', 'updated_at'),
    },
  },
  {
    table: 'agents',
    key: ID,
    columns: {
      ...plain(
        'id',
        'project_id',
        'name',
        'description',
        'environment',
        'tags',
        'definition',
        'api_key_providers',
        'published_version',
      ),
      ...plain('version', 'created_by', 'created_at', 'updated_at', 'deleted_at'),
      api_keys: { leftOut: 'keys of model providers: the owner has them, and a file is no place for them' },
    },
  },
  {
    table: 'agent_versions',
    key: [
      ['agent_id', 'uuid'],
      ['number', 'integer'],
    ],
    columns: plain('agent_id', 'number', 'definition', 'published_by', 'published_at'),
  },
  {
    table: 'runs',
    key: ID,
    columns: {
      ...plain(
        'id',
        'agent_id',
        'agent_version',
        'status',
        'error',
        'input_tokens',
        'output_tokens',
        'model_calls',
      ),
      ...plain('attempt', 'cancel_requested_at', 'created_by', 'created_at', 'started_at', 'finished_at'),
      input_data: 'sealed',
      output_data: 'sealed',
    },
  },
  {
    table: 'run_events',
    key: [
      ['run_id', 'uuid'],
      ['seq', 'integer'],
    ],
    columns: { ...plain('run_id', 'seq'), event: 'sealed' },
  },
  {
    table: 'run_checkpoints',
    key: [
      ['run_id', 'uuid'],
      ['call', 'integer'],
    ],
    columns: { ...plain('run_id', 'call', 'fingerprint'), result: 'sealed' },
  },
  {
    table: 'audit_destinations',
    key: ID,
    columns: {
      ...plain(
        'id',
        'name',
        'kind',
        'settings',
        'paused',
        'version',
        'created_by',
        'created_at',
        'updated_at',
      ),
      credentials: { leftOut: 'what receivers know us by: the owner has it, and a file is no place for it' },
    },
  },
  {
    table: 'alerts',
    key: ID,
    columns: {
      ...plain(
        'id',
        'rule',
        'key',
        'severity',
        'status',
        'title',
        'details',
        'occurrences',
        'reopenings',
        'first_seq',
        'last_seq',
      ),
      ...plain('opened_at', 'acknowledge_by', 'escalations', 'acknowledged_at', 'acknowledged_by'),
      ...plain('resolved_at', 'resolved_by', 'version', 'escalate_at'),
      subject: 'sealed',
    },
  },
  {
    table: 'alert_channels',
    key: ID,
    columns: {
      ...plain('id', 'name', 'kind', 'minimum_severity', 'enabled', 'version'),
      ...plain('created_by', 'created_at', 'updated_at'),
      recipient: {
        leftOut: 'addresses together with secrets: the owner has them, and a file is no place for them',
      },
    },
  },
  {
    table: 'alert_notifications',
    key: ID,
    columns: plain(
      'id',
      'alert_id',
      'channel_id',
      'kind',
      'due_at',
      'attempts',
      'error',
      'created_at',
      'ended_at',
    ),
  },
  {
    table: 'detection_rules',
    key: [['rule', 'text']],
    columns: plain('rule', 'settings', 'version', 'updated_by', 'updated_at'),
  },
  {
    table: 'domains',
    key: ID,
    columns: plain('id', 'name', 'token', 'sso_required', 'version', 'created_by', 'created_at'),
  },
  {
    table: 'break_glass_owners',
    key: [['user_id', 'uuid']],
    columns: plain('user_id', 'named_by', 'named_at'),
  },
  {
    table: 'sso_connections',
    key: ID,
    columns: {
      ...plain('id', 'name', 'type', 'state', 'settings', 'mapping', 'roles', 'highest_role'),
      ...plain('provisioning', 'linking', 'domains', 'last_error', 'last_error_at', 'version'),
      ...plain('created_by', 'created_at', 'updated_at'),
      secrets: { leftOut: 'the client secret and private keys: a file is no place for them' },
    },
  },
  {
    table: 'oauth_clients',
    key: ID,
    columns: {
      ...plain('id', 'name', 'role', 'highest_role', 'scopes', 'authentication', 'public_keys', 'federation'),
      ...plain(
        'status',
        'access_token_minutes',
        'dpop_bound',
        'allowed_networks',
        'projects',
        'expires_at',
        'last_used_at',
      ),
      ...plain('epoch', 'version', 'created_by', 'created_at', 'updated_at'),
    },
  },
  {
    table: 'oauth_client_secrets',
    key: ID,
    columns: { ...plain('id', 'client_id', 'prefix', 'created_at', 'expires_at'), secret_hash: SECRET_HASH },
  },
  {
    table: 'federated_identities',
    key: ID,
    columns: {
      ...plain('id', 'connection_id', 'user_id', 'created_at'),
      subject: 'sealed',
      subject_index: INDEX,
      subject_index_alt: INDEX,
    },
  },
  {
    table: 'groups',
    key: ID,
    columns: {
      ...plain('id', 'display_name', 'external_id', 'directory', 'people', 'version'),
      ...plain('created_by', 'created_at', 'updated_at'),
    },
  },
  {
    table: 'group_members',
    key: [
      ['group_id', 'uuid'],
      ['user_id', 'uuid'],
    ],
    columns: plain('group_id', 'user_id', 'added_at'),
  },
  {
    table: 'group_subgroups',
    key: [
      ['group_id', 'uuid'],
      ['member_id', 'uuid'],
    ],
    columns: plain('group_id', 'member_id', 'added_at'),
  },
  {
    table: 'roles',
    key: ID,
    columns: {
      ...plain('id', 'name', 'description', 'permissions', 'version'),
      ...plain('created_by', 'created_at', 'updated_at'),
    },
  },
  {
    table: 'role_grants',
    key: ID,
    columns: {
      ...plain('id', 'user_id', 'group_id', 'service_account_id', 'role', 'role_id'),
      ...plain('resource_type', 'resource_id', 'created_by', 'created_at'),
    },
  },
  {
    table: 'access_policies',
    key: [['version', 'integer']],
    columns: plain('version', 'text', 'note', 'created_by', 'created_at'),
  },
  {
    table: 'access_policy_activations',
    key: [['number', 'integer']],
    columns: plain('number', 'version', 'set_by', 'at'),
  },
  {
    table: 'impersonations',
    key: ID,
    columns: {
      ...plain('id', 'user_id', 'writes', 'minutes', 'requested_at', 'approved_by'),
      ...plain('started_at', 'expires_at', 'ended_at'),
      support_person: 'sealed',
      reason: 'sealed',
      secret_hash: SECRET_HASH,
    },
  },
  {
    table: 'impersonation_settings',
    key: [['one', 'boolean']],
    columns: plain('one', 'allowed', 'writes', 'set_by', 'set_at'),
  },
  {
    table: 'second_factors',
    key: ID,
    columns: {
      ...plain('id', 'user_id', 'type', 'created_at', 'active_at', 'last_used_at'),
      details: { leftOut: 'secrets that codes follow from: a file is no place for them' },
      credential_hash: SECRET_HASH,
      counter: { leftOut: 'how often it was used, or when last: of use against a replay alone' },
    },
  },
  {
    table: 'trusted_devices',
    key: ID,
    columns: {
      ...plain('id', 'user_id', 'proved_at', 'created_at', 'last_used_at', 'expires_at'),
      client: 'sealed',
      secret_hash: SECRET_HASH,
      fingerprint: FINGERPRINT,
    },
  },
  {
    table: 'scim_directories',
    key: ID,
    columns: {
      ...plain('id', 'name', 'kind', 'state', 'default_role', 'highest_role', 'conflicts', 'mapping'),
      ...plain('oauth_client_id', 'version', 'created_by', 'created_at', 'updated_at'),
    },
  },
  {
    table: 'scim_tokens',
    key: ID,
    columns: {
      ...plain('id', 'directory_id', 'prefix', 'created_by', 'created_at', 'expires_at', 'revoked_at'),
      ...plain('last_used_at'),
      secret_hash: SECRET_HASH,
    },
  },
  {
    table: 'scim_users',
    key: ID,
    columns: {
      ...plain('id', 'directory_id', 'version', 'created_at', 'updated_at', 'removed_at'),
      user_name: { leftOut: 'what it is looked up by: it stands among the attributes' },
      user_name_index: INDEX,
      user_name_index_alt: INDEX,
      external_id: { leftOut: 'what it is looked up by: it stands among the attributes' },
      external_id_index: INDEX,
      external_id_index_alt: INDEX,
      attributes: 'sealed',
    },
  },
  {
    table: 'signal_transmitters',
    key: ID,
    columns: {
      ...plain('id', 'name', 'state', 'issuer', 'audience', 'jwks_uri', 'email_subjects', 'highest_role'),
      ...plain('token_prefix', 'former_token_until', 'last_used_at', 'verified_state', 'verified_at'),
      ...plain('stream_status', 'stream_status_at', 'version', 'created_by', 'created_at', 'updated_at'),
      token_hash: SECRET_HASH,
      former_token_hash: SECRET_HASH,
    },
  },
  { table: 'quota_usage', key: [['quota', 'text']], columns: plain('quota', 'used', 'day', 'measured_at') },
];

/** Tables of which nothing is exported. */
export const LEFT_OUT_TABLES: Readonly<Record<string, string>> = {
  detection_progress: 'how far the log was looked at: it is in the export itself',
  detection_state: 'counts and hashes that follow from the log',
  subject_keys: 'wrapped keys of persons, under those',
  encryption_keys: 'wrapped keys: worth nothing without the key service, and not to be had with it',
  password_history: 'hashes of former passwords: of use only to who wants to guess them',
  password_resets: 'hashes of links that work for half an hour',
  sign_in_places: 'hashes of networks and browsers that people have signed in from',
  sign_in_attempts: 'counts of failed sign-ins of the last day: the log has each of them',
  scim_emails: 'what people are looked up by: their addresses stand among the attributes',
  scim_requests: 'what directories have asked for, for thirty days: the log has each of it',
  group_nesting: 'a row that is held while groups are put into groups: it says nothing',
  federated_sessions: 'which session a provider knows under which name: of use while it lasts',
  recovery_codes: 'hashes of codes that work once',
  second_factor_challenges: 'sign-ins that are under way, for five minutes',
  text_messages: 'pseudonyms of numbers and codes, for a day: the log has each message',
  sso_attempts: 'sign-ins that are under way, for ten minutes',
  sso_replays: 'hashes of what was shown once and must not be shown again',
  sso_reports: 'what tests of connections received, for a day',
  signals_seen: 'hashes of security events that have come, so that each counts once',
  oauth_shown: 'hashes of what was shown once and must not be shown again',
  oauth_revoked_tokens: 'ids of access tokens that were revoked, until these would have ended anyway',
  idempotency_keys: 'answers kept for a day for repeated requests; they may show a secret that is shown once',
};
