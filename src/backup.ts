import { BACKUP_USAGE, BackupUsageError, readBackupCommand } from './backup-options.js';

/** `npm run backup`. What it takes long to load is loaded once the command is known to be one. */
try {
  const command = readBackupCommand(process.argv.slice(2));
  if (command.help) process.stdout.write(BACKUP_USAGE);
  else await (await import('./run-backups.js')).runBackup(command);
} catch (error) {
  if (!(error instanceof BackupUsageError)) (await import('./exit-with-reason.js')).exitWithReason(error);
  else process.stderr.write(`${error.message}\n\n${BACKUP_USAGE}`);
  process.exitCode = 2;
}
