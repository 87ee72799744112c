import { describe, expect, it } from 'vitest';
import { readMigrateCommand } from './migrate-options.js';

describe('the command line of db:migrate', () => {
  it('asks for nothing', () => {
    expect(readMigrateCommand([])).toEqual({ help: false, plan: false, canaries: [], workers: 4, batch: 50 });
  });

  it('takes canaries as often as they are named', () => {
    const command = readMigrateCommand([
      '--canary',
      'acme',
      '--canary=t_00000000000000ff',
      '--workers',
      '2',
      '--batch',
      '10',
    ]);
    expect(command).toMatchObject({ canaries: ['acme', 't_00000000000000ff'], workers: 2, batch: 10 });
  });

  it.each([
    ['--verbose'],
    ['now'],
    ['--workers', '1.5'],
    ['--workers', '-1'],
    ['--batch', '201'],
    ['--canary', ''],
  ])('refuses %s %s', (...args) => {
    expect(() => readMigrateCommand(args)).toThrow(expect.objectContaining({ name: 'UsageError' }));
  });
});
