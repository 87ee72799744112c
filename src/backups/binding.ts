import { createHash } from 'node:crypto';
import type { BackupNames } from './backup-key.js';

/** What every chunk of a backup is bound to: which backup it is, of which cell, and its key as it was wrapped. */
export function bindingOf({ id, cell }: BackupNames, wrapped: Buffer): Buffer {
  const head = JSON.stringify(['waxell backup v1', id, cell, wrapped.toString('base64')]);
  return createHash('sha256').update(head).digest();
}
