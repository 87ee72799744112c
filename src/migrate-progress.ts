import type { Progress } from './platform/database/index.js';

const WIDTH = 24;
/** On a terminal the bar is drawn at most this often; elsewhere a line is written this often. */
const DRAW_MS = 100;
const LINE_MS = 3_000;

/** Where progress is shown: standard error, so that the report can be kept by itself. */
export interface ProgressOutput {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** A bar with rate and remaining time on a terminal, a plain line every few seconds elsewhere. */
export class MigrateProgress {
  readonly #begun = new Map<string, number>();
  #drawn = -Infinity;
  #open = false;

  constructor(
    private readonly output: ProgressOutput,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.#drawn = output.isTTY ? -Infinity : now();
  }

  show(cell: string, progress: Progress): void {
    const now = this.now();
    const begun = this.#begun.get(cell) ?? now;
    this.#begun.set(cell, begun);
    if (now - this.#drawn < (this.output.isTTY ? DRAW_MS : LINE_MS)) return;
    this.#drawn = now;
    const text = describeProgress(cell, progress, (now - begun) / 1_000);
    if (!this.output.isTTY) return void this.output.write(`${text}\n`);
    this.output.write(`\r${bar(progress)} ${text}\u001B[K`);
    this.#open = true;
  }

  end(): void {
    if (this.#open) this.output.write('\r\u001B[K');
    this.#open = false;
  }
}

/** @param seconds since the first tenant of this cell */
export function describeProgress(cell: string, { done, failed, total }: Progress, seconds: number): string {
  const rate = seconds > 0 ? done / seconds : 0;
  const left = Math.max(0, total - done - failed);
  const parts = [`${cell}: ${done} of ${total}`];
  if (failed > 0) parts.push(`${failed} failed`);
  if (rate > 0) parts.push(`${rate.toFixed(0)}/s`);
  if (rate > 0 && left > 0) parts.push(`${Math.ceil(left / rate)} s left`);
  return parts.join(', ');
}

function bar({ done, failed, total }: Progress): string {
  const filled = total > 0 ? Math.min(WIDTH, Math.floor(((done + failed) / total) * WIDTH)) : WIDTH;
  return `[${'#'.repeat(filled)}${'.'.repeat(WIDTH - filled)}]`;
}
