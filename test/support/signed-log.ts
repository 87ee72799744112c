import type { TenantRef } from '../../src/platform/database/index.js';
import { appendEvents, type LogKeeping } from './cold-logs.js';

/** What was kept elsewhere, at these sizes: by it a log is held to what it was. */
export const KEPT = [10, 300] as const;
export const SIZE = 320;

export interface SignedLog {
  readonly tenant: TenantRef;
  /** Signed checkpoints, as the organisation has them. */
  readonly kept: readonly string[];
}

export async function signedLog({ log, prove }: LogKeeping, tenant: TenantRef): Promise<SignedLog> {
  const kept: string[] = [];
  let size = 0;
  for (const next of [...KEPT, SIZE]) {
    await appendEvents(log, tenant, next - size);
    size = next;
    const { note } = await prove.current(tenant);
    if (next !== SIZE) kept.push(note);
  }
  return { tenant, kept };
}
