import { adviceOn, withoutCredentials } from './platform/observability/log.js';

/** Failures whose message says what to do; of any other, the stack is what helps. */
const SELF_EXPLAINING = new Set([
  'BackupKeyRefused',
  'BackupUnreadable',
  'ChangedMeanwhile',
  'ConfigurationError',
  'HomeInUse',
  'DatabaseNotCurrent',
  'CountryDatabaseUnfit',
  'RestoreRefused',
]);

/** For what goes wrong before there is a log. */
export function exitWithReason(error: unknown): never {
  const reason = error instanceof Error ? error : new Error(String(error));
  const text =
    adviceOn(reason) ??
    (SELF_EXPLAINING.has(reason.name) ? reason.message : (reason.stack ?? reason.message));
  process.stderr.write(`${withoutCredentials(text)}\n`);
  process.exit(1);
}
