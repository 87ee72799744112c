import { readMigrateCommand, USAGE, UsageError } from './migrate-options.js';

/** `npm run db:migrate`. What it takes long to load is loaded once the command is known to be one. */
try {
  const command = readMigrateCommand(process.argv.slice(2));
  if (command.help) process.stdout.write(USAGE);
  else await (await import('./run-migrations.js')).runMigrations(command);
} catch (error) {
  if (!(error instanceof UsageError)) (await import('./exit-with-reason.js')).exitWithReason(error);
  else process.stderr.write(`${error.message}\n\n${USAGE}`);
  process.exitCode = 2;
}
