import { encryptedColumns } from './encrypted.decorator.js';

/** What the specification names as sensitive, of what there is so far. A new sensitive column is added here first. */
export const SENSITIVE_COLUMNS: readonly string[] = [
  'UserEntity.email',
  'UserEntity.display_name',
  'UserEntity.phone',
  'AgentEntity.api_keys',
  'RunEntity.input_data',
  'RunEntity.output_data',
  'DestinationEntity.credentials',
  'AlertEntity.subject',
  'ChannelEntity.recipient',
];

/** Throws when one of them would be stored as plain text: such an application does not start. */
export function requireSensitiveColumns(encrypted: readonly string[] = encryptedColumns()): void {
  const plain = SENSITIVE_COLUMNS.filter((column) => !encrypted.includes(column));
  if (plain.length > 0) throw new Error(`Sensitive columns without @Encrypted: ${plain.join(', ')}.`);
}
