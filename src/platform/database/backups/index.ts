export type { BackupPart } from './backup-part.js';
export { ChangedMeanwhile, readCell } from './read-cell.js';
export { requireEmpty, restoreCell, RestoreRefused } from './restore-cell.js';
