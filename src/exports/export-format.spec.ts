import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AuditEventDto } from '../audit/index.js';
import { WRITERS } from './export-format.js';

const event = (more: object): AuditEventDto => ({
  seq: 7,
  id: 'e',
  at: '2026-01-01T00:00:00.000000Z',
  action: 'agent.read',
  actor: { type: 'user', id: 'bob' },
  outcome: 'success',
  region: 'eu-west-1',
  chainHash: 'ff',
  ...more,
});

/** Cells of a row, as RFC 4180 has them. */
function cellsOf(row: string): string[] {
  const cells = [...row.replace(/\r\n$/, '').matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^",]*))/g)];
  return cells.map(([, quoted, bare]) => quoted?.replaceAll('""', '"') ?? bare ?? '');
}

describe('an export as CSV', () => {
  it('has a cell for each column of its header, whatever is in the event', () => {
    const columns = cellsOf(WRITERS.csv.beginning);
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (id, path) => {
        const row = WRITERS.csv.line(
          event({ resource: { type: 'agent', id }, request: { id, method: 'GET', path } }),
        );
        const cells = cellsOf(row);
        expect(cells).toHaveLength(columns.length);
        expect(cells[columns.indexOf('resource_id')]?.replace(/^'/, '')).toBe(id.replace(/^'/, ''));
      }),
      { numRuns: 40 },
    );
  });

  it.each(['=1+1', '+cmd', '-2', '@SUM(A1)', '\t=1', ' =1', '\r=1', '|calc', '%0A'])(
    'has no cell that a spreadsheet takes for a formula: %j',
    (id) => {
      const columns = cellsOf(WRITERS.csv.beginning);
      const cells = cellsOf(WRITERS.csv.line(event({ resource: { type: 'agent', id } })));
      expect(cells[columns.indexOf('resource_id')]).toBe(`'${id}`);
    },
  );

  it('has numbers and what is nested as they are', () => {
    const cells = cellsOf(WRITERS.csv.line(event({ changes: { a: '=1' }, policies: ['p'] })));
    expect(cells).toEqual(expect.arrayContaining(['7', '{"a":"=1"}', '["p"]']));
  });
});

describe('an export as JSON Lines', () => {
  it('has each event on one line, as the search answers it', () => {
    const one = event({ changes: { text: 'two\nlines\u2028' } });
    const line = WRITERS.jsonl.line(one);
    expect(line.split('\n')).toHaveLength(2);
    expect(JSON.parse(line)).toEqual(one);
  });
});
