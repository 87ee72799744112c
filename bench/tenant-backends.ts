import { readFile } from 'node:fs/promises';
import { processorMicros } from './http-load.ts';
import { CELL, type TenantServer } from './tenant-server.ts';
import type { TenantId } from '../src/platform/database/index.ts';

export const SERVED = 1_000;

/** Processor time that the database's connections of the driver have taken. */
export async function serverMicros(server: TenantServer): Promise<number> {
  const micros = (await appBackends(server)).map((pid) => processorMicros(pid) ?? Number.NaN);
  return micros.reduce((sum, one) => sum + one, 0);
}

async function appBackends(server: TenantServer): Promise<number[]> {
  const { rows } = await server.superuser.query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity WHERE usename = 'waxell_app'`,
  );
  return rows.map(({ pid }) => pid);
}

/** A connection that reads a row by key in three tables of each of 1,000 tenants; its private memory, on Linux. */
export async function backendMemory(server: TenantServer): Promise<{ mib: number; before: number }> {
  const { database, close } = await server.driver({ tenant: 1, lane: 1, control: 1, audit: 1 });
  try {
    const served = (await server.tenants()).slice(0, SERVED);
    const touch = async (id: TenantId): Promise<void> => {
      for (const table of ['projects', 'agents', 'users']) {
        const text = `SELECT id FROM ${table} WHERE id = $1`;
        const values = ['00000000-0000-0000-0000-000000000000'];
        await database.within({ id, region: 'eu-test-1', cell: CELL }, () =>
          database.query({ name: `bench_${table}`, text, values }),
        );
      }
    };
    for (const id of served.slice(0, 1)) await touch(id);
    const before = await largestBackend(server);
    for (const id of served) await touch(id);
    return { mib: await largestBackend(server), before };
  } finally {
    await close();
  }
}

async function largestBackend(server: TenantServer): Promise<number> {
  const sizes = await Promise.all((await appBackends(server)).map(privateMebibytes));
  return Number(Math.max(...sizes).toFixed(2));
}

/** What no other process shares: proc_pid_smaps(5). */
async function privateMebibytes(pid: number): Promise<number> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
  const kibibytes = [...rollup.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB$/gm)].map(([, size]) =>
    Number(size),
  );
  return kibibytes.length === 0 ? Number.NaN : kibibytes.reduce((sum, size) => sum + size, 0) / 1_024;
}
