import type { TenantRef } from '../../src/platform/database/index.js';
import { isInterruption, IsolationOperations, type Draw } from './isolation-operations.js';
import type { TestDatabase } from './test-database.js';

export interface Workload {
  readonly operations: number;
  readonly seed: number;
  /** Operations under way at once. */
  readonly concurrency: number;
}

export interface WorkloadReport {
  /** Finished as they should. */
  readonly operations: number;
  readonly byKind: Readonly<Record<string, number>>;
  readonly byWay: Readonly<Record<string, number>>;
  /** Repetitions, where another operation's interruption struck this one. */
  readonly repeated: number;
}

const MOST_ATTEMPTS = 10;

/**
 * Runs operations drawn from a seed, many at once, and fails with the first that saw anything of another tenant. The
 * seed is part of the failure: `WAXELL_ISOLATION_SEED` draws the same operations again (their timing is the machine's).
 */
export async function runWorkload(
  db: TestDatabase,
  tenants: readonly TenantRef[],
  { operations, seed, concurrency }: Workload,
): Promise<WorkloadReport> {
  const available = new IsolationOperations(db);
  const byKind = Object.fromEntries(available.kinds.map((kind) => [kind, 0]));
  const byWay = Object.fromEntries(available.ways.map(([way]) => [way, 0]));
  let [begun, finished, repeated] = [0, 0, 0];
  let failure: Error | undefined;
  const draw = (random: () => number): Draw => ({
    tenant: tenants[Math.floor(random() * tenants.length)] as TenantRef,
    other: tenants[Math.floor(random() * tenants.length)] as TenantRef,
    way: Math.floor(random() * available.ways.length),
    // Each of them once to begin with, however rare it is.
    circumstance: begun <= available.kinds.length ? begun - 1 : available.circumstanceAt(random()),
    at: Math.floor(random() * 1_000),
  });
  const attempt = async (drawn: Draw): Promise<void> => {
    for (let attempts = 1; ; attempts += 1) {
      try {
        return await available.run(drawn);
      } catch (error) {
        if (!isInterruption(error) || attempts === MOST_ATTEMPTS) throw error;
        repeated += 1;
      }
    }
  };
  const worker = async (_: unknown, number: number): Promise<void> => {
    const random = randomFrom(seed + number);
    while (begun < operations && !failure) {
      begun += 1;
      const drawn = withNeighbour(draw(random), tenants);
      const kind = available.kinds[drawn.circumstance] ?? '';
      const way = available.ways[drawn.way]?.[0] ?? '';
      try {
        await attempt(drawn);
        finished += 1;
        byKind[kind] = (byKind[kind] ?? 0) + 1;
        byWay[way] = (byWay[way] ?? 0) + 1;
      } catch (cause) {
        const message = cause instanceof Error ? cause.message : String(cause);
        failure ??= new Error(
          `Operation ${begun}, ${available.describe(drawn)}: ${message} (WAXELL_ISOLATION_SEED=${seed})`,
          { cause },
        );
      }
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  if (failure) throw failure;
  await everyEventIsItsTenants(db, available.committedEvents);
  return { operations: finished, byKind, byWay, repeated };
}

function withNeighbour(drawn: Draw, tenants: readonly TenantRef[]): Draw {
  if (drawn.other.id !== drawn.tenant.id) return drawn;
  const next = (tenants.indexOf(drawn.tenant) + 1) % tenants.length;
  return { ...drawn, other: tenants[next] as TenantRef };
}

async function everyEventIsItsTenants({ superuser }: TestDatabase, committed: number): Promise<void> {
  const { rows } = await superuser.query<{ all: number; forged: number }>(
    `SELECT count(*)::int AS all, count(*) FILTER (WHERE convert_from(event, 'UTF8') <> tenant)::int AS forged
     FROM audit.outbox`,
  );
  const { all, forged } = rows[0] ?? { all: 0, forged: 0 };
  if (forged > 0 || all < committed)
    throw new Error(
      `Of ${committed} committed events ${all} are there, ${forged} under another tenant's name.`,
    );
}

/** Mulberry32: small, and the same everywhere. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
