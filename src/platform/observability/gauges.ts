import { Injectable } from '@nestjs/common';
import { Gauge, Registry } from 'prom-client';
import { Log } from './log.js';

/** One figure of a gauge; `of` says of what, such as a cell, and is left out where there is one figure alone. */
export interface Reading {
  readonly of?: string;
  readonly value: number;
}

/** Something that is measured when it is asked for. */
export interface MeasuredGauge {
  readonly name: `waxell_${string}`;
  readonly help: string;
  /** The name of what tells its figures apart: of a kind of which an installation has few, and never its organisations. */
  readonly label?: 'cell' | 'certificate' | 'quantile';
  read(): readonly Reading[] | Promise<readonly Reading[]>;
}

export interface MetricsText {
  readonly type: string;
  readonly text: string;
}

const MOST_READINGS = 100;
const READ_WITHIN_MS = 5_000;
/** Whoever asks more often is given the same. */
const FRESH_MS = 5_000;

/** What rooms have measured, as Prometheus reads it. Each adds its own; nothing is measured unless somebody asks. */
@Injectable()
export class Gauges {
  readonly #gauges: MeasuredGauge[] = [];
  #last: { readonly at: number; readonly text: Promise<MetricsText> } | undefined;

  constructor(private readonly log: Log) {}

  add(gauge: MeasuredGauge): void {
    this.#gauges.push(gauge);
  }

  /** Of however many who ask at once, and within five seconds, it is measured for one. */
  read(): Promise<MetricsText> {
    const now = performance.now();
    if (this.#last && now - this.#last.at < FRESH_MS) return this.#last.text;
    const text = this.#measured();
    this.#last = { at: now, text };
    return text;
  }

  async #measured(): Promise<MetricsText> {
    const registry = new Registry();
    const failed = new Gauge({
      name: 'waxell_gauges_failed',
      help: 'Gauges that could not be read, and are left out here.',
      registers: [registry],
    });
    failed.set(0);
    await Promise.all(
      this.#gauges.map(async (gauge) => {
        try {
          register(registry, gauge, await within(READ_WITHIN_MS, gauge.read()));
        } catch (error) {
          failed.inc();
          this.log.error('a gauge could not be read', error, { gauge: gauge.name });
        }
      }),
    );
    return { type: registry.contentType, text: await registry.metrics() };
  }
}

function register(
  registry: Registry,
  { name, help, label }: MeasuredGauge,
  readings: readonly Reading[],
): void {
  const gauge = new Gauge({ name, help, labelNames: label ? [label] : [], registers: [registry] });
  for (const { of, value } of readings.slice(0, MOST_READINGS))
    if (label && of !== undefined) gauge.set({ [label]: of }, value);
    else gauge.set(value);
}

async function within<T>(ms: number, work: T | Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`It was not read within ${ms} ms.`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
