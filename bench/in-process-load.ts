import type { Figures, Side } from './measure.ts';

/**
 * Repeats an operation from this process, so many at once, for so many seconds. The processor time is this process's:
 * driver and ORM, not the database.
 */
export function inProcess(operation: (turn: number) => Promise<void>, concurrency: number): Side {
  let turn = 0;
  return async (seconds): Promise<Figures> => {
    const times: number[] = [];
    const processor = process.cpuUsage();
    const begun = performance.now();
    const end = begun + seconds * 1_000;
    const caller = async (): Promise<void> => {
      for (let at = performance.now(); at < end;) {
        await operation((turn += 1));
        const now = performance.now();
        times.push(now - at);
        at = now;
      }
    };
    await Promise.all(Array.from({ length: concurrency }, caller));
    const took = (performance.now() - begun) / 1_000;
    const { user, system } = process.cpuUsage(processor);
    times.sort((a, b) => a - b);
    const percentile = (part: number): number => times[Math.floor((times.length - 1) * part)] ?? Number.NaN;
    return {
      perSecond: times.length / took,
      p50: percentile(0.5),
      p99: percentile(0.99),
      cpuMicros: (user + system) / times.length,
    };
  };
}
