import { parseArgs } from 'node:util';

const DEFAULT_DAYS = 35;
const MOST_DAYS = 3_650;

export interface BackupCommand {
  readonly help: boolean;
  readonly to: string;
  /** All, where none is named. */
  readonly cell: string | undefined;
  /** Undefined: no backup expires. */
  readonly expireDays: number | undefined;
}

export interface RestoreCommand {
  readonly help: boolean;
  readonly from: string;
  readonly verify: boolean;
}

export const BACKUP_USAGE = `Usage: npm run backup -- --to FOLDER [options]

Makes a backup of each cell's database in a folder of its own below FOLDER, sealed under the key of backups.

  --to FOLDER      where backups are kept
  --cell NAME      of this cell only
  --expire DAYS    delete backups there that are older, once the new ones are whole (0 to ${MOST_DAYS}; ${DEFAULT_DAYS}; 0: none)
  -h, --help       show this
`;

export const RESTORE_USAGE = `Usage: npm run restore -- --from FOLDER [options]

Builds the empty database of the cell that a backup is of, and brings it to this version.

  --from FOLDER    the folder of the backup
  --verify         only read all of it and say whether it is whole; no database is touched
  -h, --help       show this
`;

/** A command was called wrongly. The message says how. */
export class BackupUsageError extends Error {
  override readonly name = 'BackupUsageError';
}

export function readBackupCommand(args: readonly string[]): BackupCommand {
  const values = parsed(args, {
    help: { type: 'boolean', short: 'h' },
    to: { type: 'string' },
    cell: { type: 'string' },
    expire: { type: 'string' },
  });
  const help = values['help'] === true;
  const days = daysOf(values['expire']);
  return {
    help,
    to: help ? '' : required('--to', values['to']),
    cell: values['cell'] === undefined ? undefined : required('--cell', values['cell']),
    expireDays: days === 0 ? undefined : days,
  };
}

export function readRestoreCommand(args: readonly string[]): RestoreCommand {
  const values = parsed(args, {
    help: { type: 'boolean', short: 'h' },
    from: { type: 'string' },
    verify: { type: 'boolean' },
  });
  const help = values['help'] === true;
  return { help, from: help ? '' : required('--from', values['from']), verify: values['verify'] === true };
}

type Options = Record<string, { readonly type: 'string' | 'boolean'; readonly short?: string }>;

function parsed(args: readonly string[], options: Options): Record<string, unknown> {
  try {
    return parseArgs({ args: [...args], allowPositionals: false, options }).values;
  } catch (error) {
    throw new BackupUsageError(error instanceof Error ? error.message : String(error));
  }
}

function required(name: string, value: unknown): string {
  if (typeof value !== 'string' || value === '') throw new BackupUsageError(`${name} must be given.`);
  return value;
}

function daysOf(value: unknown): number {
  if (value === undefined) return DEFAULT_DAYS;
  const days = typeof value === 'string' && /^\d{1,4}$/.test(value) ? Number(value) : Number.NaN;
  if (!(days <= MOST_DAYS))
    throw new BackupUsageError(`--expire must be a whole number of days from 0 to ${MOST_DAYS}.`);
  return days;
}
