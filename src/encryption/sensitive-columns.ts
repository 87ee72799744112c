import { getMetadataArgsStorage } from 'typeorm';
import { encryptedColumns } from './encrypted.decorator.js';

/** What the specification names as sensitive, and where it is. Undefined: nothing of it is a column of an entity yet. */
export const SPECIFIED_FIELDS: Readonly<Record<string, string | undefined>> = {
  'user.email': 'UserEntity.email',
  'user.phone': 'UserEntity.phone',
  'agent.api_keys': 'AgentEntity.api_keys',
  // There are no workflows; a run is what there is of one.
  'workflow.input_data': 'RunEntity.input_data',
  'workflow.output_data': 'RunEntity.output_data',
  // Part of an event, which is sealed before it is hashed.
  'audit.request_body': undefined,
};

/** What is as sensitive, by our own judgement. A new sensitive column is added here first. */
const FURTHER_COLUMNS: readonly string[] = [
  'UserEntity.display_name',
  'DestinationEntity.credentials',
  'AlertEntity.subject',
  'ChannelEntity.recipient',
  'ScimUserEntity.user_name',
  'ScimUserEntity.external_id',
  'ScimUserEntity.attributes',
  'ScimEmailEntity.address',
];

export const SENSITIVE_COLUMNS: readonly string[] = [
  ...Object.values(SPECIFIED_FIELDS).filter((column) => column !== undefined),
  ...FURTHER_COLUMNS,
];

/** Columns of entities as `Entity.column`. */
export function columnsOfEntities(): string[] {
  return getMetadataArgsStorage().columns.map(
    ({ target, options, propertyName }) =>
      `${(target as { name: string }).name}.${options.name ?? propertyName}`,
  );
}

/**
 * Throws when one of them would be stored as plain text: such an application does not start. So does one in which any
 * column bears the name of a specified field and is not encrypted, as that of a workflow would that comes one day.
 */
export function requireSensitiveColumns(
  encrypted: readonly string[] = encryptedColumns(),
  all: readonly string[] = columnsOfEntities(),
): void {
  const names = new Set(Object.keys(SPECIFIED_FIELDS).map((field) => field.split('.')[1]));
  const named = all.filter((column) => names.has(column.split('.')[1]));
  const plain = [...new Set([...SENSITIVE_COLUMNS, ...named])].filter(
    (column) => !encrypted.includes(column),
  );
  if (plain.length > 0) throw new Error(`Sensitive columns without @Encrypted: ${plain.join(', ')}.`);
}
