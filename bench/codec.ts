/**
 * Sealing a field and opening it again, in pairs per second of processor time: ours beside AES-256-GCM with one cached
 * key, the AWS Encryption SDK (committing, unsigned) and cloak.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { SIDES, type SideName, type Slice } from './codec-side.ts';
import { median, type BenchOptions, type BenchResult } from './measure.ts';

const SIZES = { '64B': 64, '64KiB': 65_536 } as const;
type Size = keyof typeof SIZES;
const ROUNDS = 9;
const SLICE_MICROS = 200_000;

export default async function codec({ say }: BenchOptions): Promise<BenchResult> {
  const sides = new Map<SideName, ChildProcess>();
  try {
    for (const name of SIDES) {
      const side = fork(new URL('./codec-side.ts', import.meta.url), [name]);
      await once(side, 'message');
      sides.set(name, side);
    }
    const small = await rounds(sides, '64B');
    const large = await rounds(sides, '64KiB');
    for (const line of [...lines('64B', small), ...lines('64KiB', large)]) say(line);
    return {
      ratios: {
        vs_cached_key_64B: ratio(small, 'cachedKey'),
        vs_cached_key_64KiB: ratio(large, 'cachedKey'),
        vs_aws_sdk: ratio(small, 'awsSdk'),
        vs_cloak: ratio(small, 'cloak'),
      },
      absolute: {
        pairsPerCpuSecond: { '64B': medians(small), '64KiB': medians(large) },
        overheadBytes: await overhead(),
      },
    };
  } finally {
    for (const side of sides.values()) side.kill();
  }
}

/** The sides by turns, so that whatever else happens on the machine happens to all of them. */
async function rounds(sides: ReadonlyMap<SideName, ChildProcess>, size: Size): Promise<Rates[]> {
  const all: Rates[] = [];
  for (let round = -1; round < ROUNDS; round += 1) {
    const rates: Partial<Rates> = {};
    for (const [name, side] of sides) {
      side.send({ bytes: SIZES[size], cpuMicros: SLICE_MICROS } satisfies Slice);
      [rates[name]] = (await once(side, 'message')) as [number];
    }
    // The first only warms up.
    if (round >= 0) all.push(rates as Rates);
  }
  return all;
}

type Rates = Record<SideName, number>;

/** The median of each round's own ratio. */
function ratio(all: readonly Rates[], other: SideName): number {
  return Number(median(all.map((rates) => rates.ours / rates[other])).toFixed(3));
}

function medians(all: readonly Rates[]): Rates {
  const of = (name: SideName): number => Math.round(median(all.map((rates) => rates[name])));
  return { ours: of('ours'), cachedKey: of('cachedKey'), cloak: of('cloak'), awsSdk: of('awsSdk') };
}

function lines(size: Size, all: readonly Rates[]): string[] {
  return Object.entries(medians(all)).map(
    ([name, rate]) => `${size.padEnd(7)} ${name.padEnd(10)} ${String(rate).padStart(8)} pairs per CPU second`,
  );
}

async function overhead(): Promise<number> {
  const built = new URL('../dist/encryption/field-codec.js', import.meta.url).href;
  return ((await import(built)) as typeof import('../src/encryption/field-codec.js')).OVERHEAD;
}
