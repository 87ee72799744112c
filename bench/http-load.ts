import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Figures } from './measure.ts';

/** What a generator of load is asked for. */
export interface LoadOrder {
  readonly url: string;
  readonly method: 'GET' | 'POST' | 'PATCH';
  readonly headers: Record<string, string>;
  /** With `[<id>]` in it wherever it has to be another one each time. */
  readonly body?: string;
  /** Bodies by turns, of each connection its own. */
  readonly turns?: readonly (readonly string[])[];
  readonly connections: number;
  readonly seconds: number;
  /** The status that every answer has to have, or those of which it has to have one. */
  readonly status: number | readonly number[];
  /** The body that every answer has to have, where it is always the same. */
  readonly answer?: string;
  /** So many wrong answers of a hundred are left out instead: of a peer that fails where others write at the same time. */
  readonly leaveOut?: number;
}

export interface LoadReport {
  readonly answered: number;
  readonly seconds: number;
  readonly p50: number;
  readonly p99: number;
  /** Answers that were not as ordered, errors and time-outs. Of ours, a bench with any is worthless. */
  readonly wrong: number;
  readonly example?: string;
}

/** Generates load from a process of its own, so that it does not run on the event loop of whoever measures. */
export class HttpLoad {
  readonly #generator: ChildProcess;
  /** Answers of the right kind so far, by URL, warm-ups included. */
  readonly answered = new Map<string, number>();
  /** Those that were left out (`LoadOrder.leaveOut`). */
  readonly leftOut = new Map<string, number>();

  constructor() {
    this.#generator = fork(new URL('./load-generator.ts', import.meta.url));
  }

  /** @param serverPid the process whose processor time is counted */
  async run(order: LoadOrder, serverPid: number): Promise<Figures> {
    const before = processorMicros(serverPid);
    this.#generator.send(order);
    const [report] = (await once(this.#generator, 'message')) as [LoadReport];
    const after = processorMicros(serverPid);
    if (report.wrong * 100 > (order.leaveOut ?? 0) * report.answered || report.answered === 0) {
      throw new Error(`${order.method} ${order.url}: ${report.wrong} wrong answers. ${report.example ?? ''}`);
    }
    const known = this.answered.get(order.url) ?? 0;
    this.answered.set(order.url, known + report.answered);
    if (report.wrong > 0) this.leftOut.set(order.url, (this.leftOut.get(order.url) ?? 0) + report.wrong);
    return {
      perSecond: report.answered / report.seconds,
      p50: report.p50,
      p99: report.p99,
      ...(before !== undefined && after !== undefined && { cpuMicros: (after - before) / report.answered }),
    };
  }

  close(): void {
    this.#generator.kill();
  }
}

/** Ticks of 10 ms, as Linux counts them for every process: proc_pid_stat(5), fields 14 and 15. */
export function processorMicros(pid: number): number | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) * 10_000;
  } catch {
    return undefined;
  }
}
