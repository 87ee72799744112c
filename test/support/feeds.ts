import type pg from 'pg';
import { expect } from 'vitest';
import { eventually } from './eventually.js';

const LIMIT_MS = 10_000;

/** The connections by which processes hear of changes, of an installation whose database is on this machine. */
export class Feeds {
  readonly #stopped: number[] = [];

  constructor(
    private readonly database: pg.Client,
    private readonly processes: number,
  ) {}

  /** They are there, and say nothing: as when a machine in between is gone. */
  async silence(): Promise<void> {
    const pids = await eventually(() => pidsOf(this.database, this.processes), LIMIT_MS);
    this.#stopped.push(...pids);
    for (const pid of pids) signal(pid, 'SIGSTOP');
  }

  speak(): void {
    for (const pid of this.#stopped.splice(0)) signal(pid, 'SIGCONT');
  }
}

async function pidsOf(database: pg.Client, processes: number): Promise<number[]> {
  const { rows } = await database.query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity WHERE application_name = 'waxell-feed'`,
  );
  expect(rows).toHaveLength(processes);
  return rows.map(({ pid }) => pid);
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // Its client had given it up, and it has ended.
  }
}
