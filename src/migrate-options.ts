import { parseArgs } from 'node:util';
import { TENANTS_PER_BATCH, WORKERS } from './platform/database/migrate-defaults.js';

export interface MigrateCommand {
  readonly help: boolean;
  readonly plan: boolean;
  /** Slugs or ids. */
  readonly canaries: readonly string[];
  readonly workers: number;
  readonly batch: number;
}

export const USAGE = `Usage: npm run db:migrate -- [options]

Brings every cell's database to the schema of this version. Safe to stop and to repeat.

  --plan                 show what would be applied, and change nothing
  --canary SLUG_OR_ID    migrate this organisation first, and nobody else if it fails; may be repeated
  --workers N            connections at the same time, per database (1 to 16; ${WORKERS})
  --batch N              organisations in one transaction, at most (1 to 200; ${TENANTS_PER_BATCH})
  -h, --help             show this
`;

/** The command was called wrongly. The message says how. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export function readMigrateCommand(args: readonly string[]): MigrateCommand {
  const { values } = parsed(args);
  const canaries = values.canary ?? [];
  if (canaries.includes('')) throw new UsageError('--canary must name an organisation.');
  return {
    help: values.help ?? false,
    plan: values.plan ?? false,
    canaries,
    workers: wholeNumber('--workers', values.workers, WORKERS, 16),
    batch: wholeNumber('--batch', values.batch, TENANTS_PER_BATCH, 200),
  };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: false,
      options: {
        help: { type: 'boolean', short: 'h' },
        plan: { type: 'boolean' },
        canary: { type: 'string', multiple: true },
        workers: { type: 'string' },
        batch: { type: 'string' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function wholeNumber(name: string, value: string | undefined, fallback: number, max: number): number {
  if (value === undefined) return fallback;
  const number = /^\d{1,3}$/.test(value) ? Number(value) : 0;
  if (number < 1 || number > max) throw new UsageError(`${name} must be a whole number from 1 to ${max}.`);
  return number;
}
