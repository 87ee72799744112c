import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import type { Kms } from '../encryption/index.js';

/** The key of backups: a key of its own in a key service, under which no tenant's keys are. */
export interface BackupKey {
  readonly kms: Pick<Kms, 'generateDataKey' | 'decrypt'>;
  readonly keyId: string;
}

/** The keys of one backup: of its data, and of its manifest. */
export interface KeysOfBackup {
  readonly data: KeyObject;
  readonly manifest: KeyObject;
}

/** The key service does not open what the backup's keys follow from. */
export class BackupKeyRefused extends Error {
  override readonly name = 'BackupKeyRefused';
  constructor(keyId: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`The key of the backup, ${keyId}, cannot be used: ${reason}.`, { cause });
  }
}

const KEY_BYTES = 32;

/** Fresh keys, and what the key service made of what they follow from. */
export async function newKeys(
  { kms, keyId }: BackupKey,
  backup: BackupNames,
): Promise<{ keys: KeysOfBackup; wrapped: Buffer }> {
  const { plaintext, wrapped } = await kms.generateDataKey(keyId, contextOf(backup));
  return { keys: keysFrom(plaintext), wrapped };
}

export async function keysOf(
  kms: BackupKey['kms'],
  keyId: string,
  backup: BackupNames,
  wrapped: Buffer,
): Promise<KeysOfBackup> {
  const secret = await kms.decrypt(keyId, wrapped, contextOf(backup)).catch((cause: unknown) => {
    throw new BackupKeyRefused(keyId, cause);
  });
  return keysFrom(secret);
}

export interface BackupNames {
  readonly id: string;
  readonly cell: string;
}

function contextOf({ id, cell }: BackupNames): Record<string, string> {
  return { purpose: 'waxell-backup', backup: id, cell };
}

function keysFrom(secret: Buffer): KeysOfBackup {
  const derived = (label: string): KeyObject =>
    createSecretKey(Buffer.from(hkdfSync('sha256', secret, '', `waxell backup ${label} v1`, KEY_BYTES)));
  const keys = { data: derived('data'), manifest: derived('manifest') };
  secret.fill(0);
  return keys;
}
