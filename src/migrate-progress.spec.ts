import { describe, expect, it } from 'vitest';
import { describeProgress, MigrateProgress } from './migrate-progress.js';

function shown(isTTY: boolean): {
  written: string[];
  at: (ms: number, done: number) => void;
  end: () => void;
} {
  let now = 0;
  const written: string[] = [];
  const progress = new MigrateProgress({ isTTY, write: (text) => written.push(text) }, () => now);
  const at = (ms: number, done: number): void => {
    now = ms;
    progress.show('eu-west-1', { done, failed: 0, total: 100 });
  };
  return { written, at, end: () => progress.end() };
}

describe('the progress of a migration', () => {
  it('is a bar with rate and remaining time on a terminal, drawn over itself and taken away', () => {
    const { written, at, end } = shown(true);
    at(0, 0);
    at(50, 20);
    at(1_000, 50);
    end();
    expect(written).toEqual([
      '\r[........................] eu-west-1: 0 of 100\u001B[K',
      '\r[############............] eu-west-1: 50 of 100, 50/s, 1 s left\u001B[K',
      '\r\u001B[K',
    ]);
  });

  it('is a line every few seconds elsewhere', () => {
    const { written, at, end } = shown(false);
    for (let second = 0; second <= 7; second += 1) at(second * 1_000, second * 10);
    end();
    expect(written).toEqual([
      'eu-west-1: 30 of 100, 10/s, 7 s left\n',
      'eu-west-1: 60 of 100, 10/s, 4 s left\n',
    ]);
  });

  it('names those that failed', () => {
    expect(describeProgress('r', { done: 4, failed: 2, total: 10 }, 2)).toBe(
      'r: 4 of 10, 2 failed, 2/s, 2 s left',
    );
  });
});
