import { cpus, totalmem } from 'node:os';

/** What one side of a comparison achieved in one round, or over all of them. */
export interface Figures {
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Microseconds of processor time of the server process per operation, where the system tells. */
  readonly cpuMicros?: number;
}

export interface Comparison {
  readonly baseline: Figures;
  readonly ours: Figures;
  /** Operations per second, ours to the baseline's. */
  readonly ratio: number;
}

export interface BenchOptions {
  readonly say: (line: string) => void;
  /** Where to write a processor profile of the application, if it is to be made. */
  readonly profileFolder?: string;
}

export interface BenchResult {
  readonly ratios: Record<string, number>;
  readonly absolute: Record<string, unknown>;
  /** Version of the database that took part. */
  readonly postgres?: string;
}

export type Bench = (options: BenchOptions) => Promise<BenchResult>;

/** One side's round: works for so many seconds and says what it achieved. */
export type Side = (seconds: number) => Promise<Figures>;

const WARM_UP_SECONDS = 2;
/** A side is warm once a round is no better by so much than the best before; a large program needs seconds of work for it. */
const STILL_WARMING = 1.05;
const MOST_WARM_UPS = 10;
/** So many rounds that are no faster than the best before. */
const STEADY = 2;
const ROUNDS = 7;
const ROUND_SECONDS = 2;

/**
 * Both sides by turns, so that whatever else happens on the machine happens to both. The figures are medians over the
 * rounds; the ratio is the median of each round's own ratio.
 */
export async function compare(
  sides: { readonly baseline: Side; readonly ours: Side },
  { warmUp = WARM_UP_SECONDS, rounds: count = ROUNDS, seconds = ROUND_SECONDS } = {},
): Promise<Comparison> {
  await warm(sides.baseline, warmUp);
  await warm(sides.ours, warmUp);
  const rounds: { baseline: Figures; ours: Figures }[] = [];
  for (let round = 0; round < count; round += 1) {
    const baseline = await sides.baseline(seconds);
    rounds.push({ baseline, ours: await sides.ours(seconds) });
  }
  return {
    baseline: middle(rounds.map((round) => round.baseline)),
    ours: middle(rounds.map((round) => round.ours)),
    ratio: rounded(median(rounds.map(({ baseline, ours }) => ours.perSecond / baseline.perSecond)), 3),
  };
}

async function warm(side: Side, seconds: number): Promise<void> {
  let [best, steady] = [0, 0];
  for (let round = 0; round < MOST_WARM_UPS && steady < STEADY; round += 1) {
    const { perSecond } = await side(seconds);
    steady = perSecond < best * STILL_WARMING ? steady + 1 : 0;
    best = Math.max(best, perSecond);
  }
}

function middle(rounds: readonly Figures[]): Figures {
  const cpu = rounds.flatMap(({ cpuMicros }) => (cpuMicros === undefined ? [] : [cpuMicros]));
  return {
    perSecond: rounded(median(rounds.map(({ perSecond }) => perSecond)), 0),
    p50: rounded(median(rounds.map(({ p50 }) => p50)), 2),
    p99: rounded(median(rounds.map(({ p99 }) => p99)), 2),
    ...(cpu.length > 0 && { cpuMicros: rounded(median(cpu), 0) }),
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  const upper = sorted[half] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[half - 1] ?? Number.NaN)) / 2;
}

/** Lines of a table of comparisons, by their names. */
export function table(comparisons: Readonly<Record<string, Comparison>>): string[] {
  const head = ['', 'per second', 'p50 ms', 'p99 ms', 'cpu \u00b5s', 'ratio'];
  const rows = Object.entries(comparisons).flatMap(([name, { baseline, ours, ratio }]) => [
    [`${name} baseline`, ...columns(baseline), ''],
    [`${name} ours`, ...columns(ours), ratio.toFixed(2)],
  ]);
  return [head, ...rows].map(([title = '', ...cells]) =>
    [title.padEnd(36), ...cells.map((cell) => cell.padStart(11))].join(''),
  );
}

function columns({ perSecond, p50, p99, cpuMicros }: Figures): string[] {
  return [perSecond, p50, p99, cpuMicros ?? '-'].map(String);
}

export function machine(postgres: string | undefined): Record<string, unknown> {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: rounded(totalmem() / 2 ** 30, 1),
    node: process.version,
    ...(postgres !== undefined && { postgres }),
  };
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
