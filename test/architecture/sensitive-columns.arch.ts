import 'reflect-metadata';
import { getMetadataArgsStorage } from 'typeorm';
import { expect, it } from 'vitest';
import '../../src/app.module.js';
import { encryptedColumns } from '../../src/encryption/encrypted.decorator.js';
import {
  columnsOfEntities,
  requireSensitiveColumns,
  SENSITIVE_COLUMNS,
  SPECIFIED_FIELDS,
} from '../../src/encryption/sensitive-columns.js';
import { TENANT_MIGRATIONS } from '../../src/migrations/index.js';
import { compileMigrations } from '../../src/platform/database/migration.js';

it('are declared encrypted: e-mail, name, number, provider keys, input and output', () => {
  expect(() => requireSensitiveColumns()).not.toThrow();
  expect(encryptedColumns()).toEqual(expect.arrayContaining([...SENSITIVE_COLUMNS]));
});

it('that are not keep the application from starting', () => {
  const without = SENSITIVE_COLUMNS.filter((column) => column !== 'UserEntity.email');
  expect(() => requireSensitiveColumns(without)).toThrow(
    'Sensitive columns without @Encrypted: UserEntity.email.',
  );
});

it('that come later under a name that the specification has keep it from starting too', () => {
  for (const field of Object.keys(SPECIFIED_FIELDS)) {
    const coming = `WorkflowEntity.${field.split('.')[1]}`;
    expect(() => requireSensitiveColumns(encryptedColumns(), [coming])).toThrow(coming);
    expect(() => requireSensitiveColumns([...encryptedColumns(), coming], [coming])).not.toThrow();
  }
});

it('are what the specification names, field by field', () => {
  expect(Object.keys(SPECIFIED_FIELDS)).toEqual([
    'user.email',
    'user.phone',
    'agent.api_keys',
    'workflow.input_data',
    'workflow.output_data',
    'audit.request_body',
  ]);
  expect(columnsOfEntities()).toEqual(expect.arrayContaining([...SENSITIVE_COLUMNS]));
});

/** Columns whose names sound sensitive, and why they are not: hashes, names of providers, and the like. */
const HARMLESS: Readonly<Record<string, string>> = {
  'UserEntity.password_hash': 'argon2id',
  'ApiKeyEntity.secret_hash': 'SHA-256 of 256 random bits',
  'ImpersonationEntity.secret_hash': 'SHA-256 of 256 random bits',
  'ClientEntity.access_token_minutes': 'a length of time',
  'ClientSecretEntity.secret_hash': 'SHA-256 of 256 random bits',
  'AgentEntity.api_key_providers': 'names of providers',
  'RunEntity.input_tokens': 'a count',
  'RunEntity.output_tokens': 'a count',
  'AlertEntity.first_seq': 'a position in the log',
};
const SOUNDS_SENSITIVE =
  /e_?mail|phone|address|display|first|last_?name|birth|secret|password|token|api_?key|input|output|body/i;

it('are all columns of an entity that sound like it', () => {
  const columns = getMetadataArgsStorage().columns.map(({ target, options, propertyName }) => ({
    column: `${(target as { name: string }).name}.${options.name ?? propertyName}`,
    type: options.type,
  }));
  expect(columns.length).toBeGreaterThan(40);
  const encrypted = encryptedColumns();
  const plain = columns.filter(({ column, type }) => {
    const isIndex = /_index(_alt)?$/.test(column) && type === 'bytea';
    const sensitive = SOUNDS_SENSITIVE.test(column.split('.')[1] ?? '');
    return sensitive && !isIndex && !(column in HARMLESS) && !encrypted.includes(column);
  });
  expect(plain).toEqual([]);
});

it('are bytea in the schema itself, whoever writes it', async () => {
  const [foundation] = await compileMigrations(TENANT_MIGRATIONS);
  const text = foundation?.statements.join('\n') ?? '';
  for (const column of [
    'email',
    'display_name',
    'api_keys',
    'input_data',
    'output_data',
    'response',
    'event',
    'result',
  ])
    expect(text).toMatch(new RegExp(`^\\s*${column} bytea`, 'm'));
});
