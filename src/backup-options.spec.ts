import { describe, expect, it } from 'vitest';
import { BackupUsageError, readBackupCommand, readRestoreCommand } from './backup-options.js';

describe('the command that makes backups', () => {
  it('keeps them for 35 days, unless it is told otherwise', () => {
    expect(readBackupCommand(['--to', 'x'])).toEqual({
      help: false,
      to: 'x',
      cell: undefined,
      expireDays: 35,
    });
    expect(readBackupCommand(['--to', 'x', '--cell', 'c', '--expire', '90'])).toMatchObject({
      cell: 'c',
      expireDays: 90,
    });
    expect(readBackupCommand(['--to', 'x', '--expire', '0']).expireDays).toBeUndefined();
  });

  it.each([
    [[]],
    [['--to', '']],
    [['--to', 'x', 'more']],
    [['--to', 'x', '--expire', '-1']],
    [['--to', 'x', '--expire', '1.5']],
    [['--to', 'x', '--expire', '3651']],
    [['--to', 'x', '--expire', '']],
    [['--to', 'x', '--cell', '']],
    [['--to', 'x', '--unknown']],
  ])('refuses %j', (args) => {
    expect(() => readBackupCommand(args)).toThrow(BackupUsageError);
  });
});

it('the command that restores wants to know from where', () => {
  expect(readRestoreCommand(['--from', 'x'])).toEqual({ help: false, from: 'x', verify: false });
  expect(readRestoreCommand(['--from', 'x', '--verify']).verify).toBe(true);
  expect(() => readRestoreCommand([])).toThrow('--from must be given');
  expect(readRestoreCommand(['--help']).help).toBe(true);
});
