import { BackupUsageError, readRestoreCommand, RESTORE_USAGE } from './backup-options.js';

/** `npm run restore`. */
try {
  const command = readRestoreCommand(process.argv.slice(2));
  if (command.help) process.stdout.write(RESTORE_USAGE);
  else await (await import('./run-backups.js')).runRestore(command);
} catch (error) {
  if (!(error instanceof BackupUsageError)) (await import('./exit-with-reason.js')).exitWithReason(error);
  else process.stderr.write(`${error.message}\n\n${RESTORE_USAGE}`);
  process.exitCode = 2;
}
