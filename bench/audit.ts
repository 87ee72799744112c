/**
 * Making events durable: our log beside one insert per transaction without a chain, and beside a chain whose head is
 * locked for every event; in one log and in a thousand. Then verifying, and what a proof for ten million events takes.
 */
import { inclusionProof } from '@waxell/transparency';
import type { TenantRef } from '../src/platform/database/index.ts';
import { startAuditBench, type AuditBench } from './audit-sides.ts';
import { inProcess } from './in-process-load.ts';
import { compare, median, table, type BenchOptions, type BenchResult, type Comparison } from './measure.ts';

const CALLERS = 64;
const TENANTS = 1_000;
const EVENTS_OF_A_LARGE_LOG = 10_000_000;
const PROOFS = 1_000;
/** How often a whole log is verified, and as much hashed; the medians count. */
const VERIFIED = 5;

export default async function audit({ say }: BenchOptions): Promise<BenchResult> {
  const bench = await startAuditBench(TENANTS, CALLERS);
  try {
    const one = bench.tenants[0] as TenantRef;
    const any = (turn: number): typeof one => bench.tenants[(turn * 7_919) % TENANTS] ?? one;
    const appended = { ours: 0, unchained: 0, headLock: 0 };
    const side = (name: keyof AuditBench['append'], of: (turn: number) => typeof one) =>
      inProcess(async (turn) => {
        await bench.append[name](of(turn));
        appended[name] += 1;
      }, CALLERS);
    const against = (name: 'unchained' | 'headLock', of: (turn: number) => typeof one) =>
      compare({ baseline: side(name, of), ours: side('ours', of) });
    const comparisons: Record<string, Comparison> = {
      vs_unchained: await against('unchained', () => one),
      vs_head_lock_one_tenant: await against('headLock', () => one),
      vs_unchained_1000_tenants: await against('unchained', any),
      vs_head_lock_1000_tenants: await against('headLock', any),
    };
    for (const line of table(comparisons)) say(line);
    const counted = await bench.counted();
    say(`\nappended ${JSON.stringify(appended)}, found ${JSON.stringify(counted)}`);
    for (const name of ['ours', 'unchained', 'headLock'] as const)
      if (counted[name] !== appended[name]) throw new Error(`Not every event of "${name}" is there.`);
    // The first warms up.
    const { checked } = await bench.verify(one);
    const rates: { verified: number; hashed: number }[] = [];
    for (let round = 0; round < VERIFIED; round += 1) {
      const { cpuSeconds } = await bench.verify(one);
      rates.push({ verified: checked / cpuSeconds, hashed: checked / bench.hashing(checked) });
    }
    const perCpuSecond = Math.round(median(rates.map(({ verified }) => verified)));
    const hashedPerCpuSecond = Math.round(median(rates.map(({ hashed }) => hashed)));
    const hashes = longestProof();
    say(
      `verified ${checked} events, ${perCpuSecond} per second of processor time; hashing alone ${hashedPerCpuSecond}`,
    );
    say(`an inclusion proof in a log of ${EVENTS_OF_A_LARGE_LOG} events has at most ${hashes} hashes`);
    return {
      ratios: Object.fromEntries(Object.entries(comparisons).map(([name, { ratio }]) => [name, ratio])),
      absolute: {
        p99_ms: comparisons['vs_unchained']?.ours.p99,
        verified_per_cpu_second: perCpuSecond,
        hashed_per_cpu_second: hashedPerCpuSecond,
        inclusion_proof_hashes: hashes,
        ...comparisons,
      },
      postgres: await bench.version(),
    };
  } finally {
    await bench.close();
  }
}

/** Of proofs at random places and at both ends. Their length follows from the tree's shape alone. */
function longestProof(): number {
  const node = Buffer.alloc(32);
  const drawn = Array.from({ length: PROOFS }, () => Math.floor(Math.random() * EVENTS_OF_A_LARGE_LOG));
  const places = [0, EVENTS_OF_A_LARGE_LOG - 1, ...drawn];
  return Math.max(...places.map((at) => inclusionProof(at, EVENTS_OF_A_LARGE_LOG, () => node).length));
}
