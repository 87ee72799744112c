export { BackupFolder } from './backup-folder.js';
export { BackupKeyRefused, type BackupKey } from './backup-key.js';
export { expireBackups, type ExpiredBackup } from './expire-backups.js';
export { ReadableBackup } from './read-backup.js';
export { RecordBackups } from './record-backups.js';
export { refuseSharedKey } from './refuse-shared-key.js';
export { BackupUnreadable } from './sealed-stream.js';
export { writeBackup, type FinishedBackup } from './write-backup.js';
