import { BackupFolder } from './backup-folder.js';
import type { Manifest } from './manifest.js';
import { BackupUnreadable } from './sealed-stream.js';

const DAY_MS = 86_400_000;
/** No backup takes so long: what has no manifest by then never will. */
const UNFINISHED_MS = 2 * DAY_MS;

export interface ExpiredBackup {
  readonly id: string;
  readonly createdAt: string;
}

/**
 * Deletes backups of before so many days, and what is left of those that were never finished. The newest of each cell
 * stays, however old it is. What has no manifest that can be read is nobody's to judge, and stays as well.
 *
 * @param onExpiring is waited for before a backup goes
 */
export async function expireBackups(
  parent: string,
  days: number,
  now: Date,
  onExpiring: (backup: ExpiredBackup) => Promise<void>,
): Promise<ExpiredBackup[]> {
  const whole: { readonly folder: BackupFolder; readonly manifest: Manifest }[] = [];
  for (const folder of await BackupFolder.below(parent)) {
    const manifest = await folder.manifest().catch((error: unknown) => {
      if (error instanceof BackupUnreadable) return error;
      throw error;
    });
    if (manifest instanceof BackupUnreadable) continue;
    if (manifest) whole.push({ folder, manifest });
    else if (now.getTime() - (await folder.changedAt()).getTime() > UNFINISHED_MS) await folder.remove();
  }
  const newest = new Map<string, string>();
  for (const { manifest } of whole)
    if ((newest.get(manifest.cell) ?? '') < manifest.createdAt) newest.set(manifest.cell, manifest.createdAt);
  const expired: ExpiredBackup[] = [];
  for (const { folder, manifest } of whole) {
    const { id, cell, createdAt } = manifest;
    if (now.getTime() - Date.parse(createdAt) <= days * DAY_MS || newest.get(cell) === createdAt) continue;
    await onExpiring({ id, createdAt });
    await folder.remove();
    expired.push({ id, createdAt });
  }
  return expired;
}
