import { generateKeyPairSync } from 'node:crypto';
import { formatVerifier, parseVerifier } from '@waxell/transparency';
import { canonicalEvent, newEventId } from '../../src/audit/audit-event.js';
import { AuditLog } from '../../src/audit/audit-log.js';
import { ColdLog } from '../../src/audit/cold-log.js';
import { LogReader } from '../../src/audit/log-reader.js';
import { VerifyLog } from '../../src/audit/verify-log.js';
import { RetentionConfig } from '../../src/platform/config/index.js';
import { LogPeriods, type TenantRef } from '../../src/platform/database/index.js';
import {
  CellObjects,
  MoveObjects,
  RetainedObjects,
  TenantObjects,
  type ObjectStore,
} from '../../src/platform/objects/index.js';
import { Log } from '../../src/platform/observability/log.js';
import type { CheckpointKeys } from '../../src/proofs/checkpoint-keys.js';
import { Checkpointer } from '../../src/proofs/checkpointer.js';
import { ProveLog } from '../../src/proofs/prove-log.js';
import { VerifiableExport } from '../../src/proofs/verifiable-export.js';
import { ColdRound } from '../../src/retention/cold-round.js';
import { ExpireLogs } from '../../src/retention/expire-logs.js';
import { ExpireRange } from '../../src/retention/expire-range.js';
import { RetentionPolicy } from '../../src/retention/retention-policy.js';
import { StoreLog } from '../../src/retention/store-log.js';
import type { TestDatabase } from './test-database.js';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const NAME = 'waxell.example/audit';
export const VERIFIER = parseVerifier(formatVerifier(NAME, publicKey));
const KEYS = {
  name: NAME,
  signers: () => Promise.resolve([{ name: NAME, key: privateKey }]),
} as unknown as CheckpointKeys;
const DAY = 86_400_000;

/** What keeps logs and reads them, as one process has it. */
export function logKeeping(
  { cells }: Pick<TestDatabase, 'cells'>,
  store: ObjectStore | ReadonlyMap<string, ObjectStore>,
  days = { hot: 90, cold: 365 },
) {
  const byCell =
    store instanceof Map ? store : new Map(cells.all().map(({ name }) => [name, store as ObjectStore]));
  const stores = new CellObjects(byCell as ReadonlyMap<string, ObjectStore>);
  const objects = new TenantObjects(stores);
  const log = new AuditLog(cells);
  const cold = new ColdLog(cells, objects);
  const reader = new LogReader(cells, cold);
  const quiet = new Log('silent');
  const config = new RetentionConfig(days.hot, days.cold, { hotDays: 365, coldDays: 3_650 });
  const checkpointer = new Checkpointer(cells, log, KEYS, stores, quiet, config);
  const prove = new ProveLog(cells, checkpointer, stores);
  const policy = new RetentionPolicy(cells, config);
  const retained = new RetainedObjects(cells, objects, stores);
  const round = new ColdRound(
    policy,
    new StoreLog(cells, reader, objects),
    new ExpireLogs(policy, objects, new ExpireRange(objects), retained, quiet),
    quiet,
  );
  return {
    log,
    cold,
    reader,
    prove,
    objects,
    policy,
    retained,
    checkpointer,
    moveObjects: new MoveObjects(objects, retained),
    verify: new VerifyLog(cells, log, cold),
    export: new VerifiableExport(reader, cold, prove),
    round: async (signal = new AbortController().signal) => {
      await checkpointer.stored(cells.home);
      return round.execute(cells.home, signal);
    },
    /** The log as `wax audit export` writes it. */
    exported: async (tenant: TenantRef, from = 1): Promise<string[]> => {
      const parts: Buffer[] = [];
      const exporting = await new VerifiableExport(reader, cold, prove).execute(tenant, from);
      const response = {
        once: () => undefined,
        status: () => ({ set: () => undefined }),
        write: (part: Buffer) => parts.push(part) > 0,
        end: () => undefined,
        destroy: (error: Error) => {
          throw error;
        },
        off: () => undefined,
      };
      await exporting.serve(response as never, {} as never);
      return Buffer.concat(parts).toString('utf8').split('\n').slice(0, -1);
    },
  };
}

export type LogKeeping = ReturnType<typeof logKeeping>;

export async function appendEvents(log: AuditLog, tenant: TenantRef, count: number): Promise<void> {
  const event = () =>
    canonicalEvent(
      newEventId(),
      tenant,
      { action: 'agent.read', actor: { type: 'user', id: 'somebody' }, outcome: 'success' },
      undefined,
    );
  await Promise.all(Array.from({ length: count }, () => log.append(tenant, event())));
}

/** Signs what the logs hold, as a checkpoint. */
export function signLogs({ prove }: LogKeeping, ...tenants: readonly TenantRef[]) {
  return Promise.all(tenants.map((tenant) => prove.current(tenant)));
}

export function coldKeysOf(store: ObjectStore, { id }: TenantRef): Promise<string[]> {
  return store.list(`tenants/${id}/audit/cold/`, { limit: 100 });
}

/** Two logs of which the first events are old enough, and some are not. */
export async function twoAgedLogs(
  db: Pick<TestDatabase, 'cells' | 'superuser' | 'newTenant'>,
  keeping: LogKeeping,
): Promise<[TenantRef, TenantRef]> {
  const [a, b] = [await db.newTenant(), await db.newTenant()];
  await Promise.all([appendEvents(keeping.log, a, 300), appendEvents(keeping.log, b, 7)]);
  await endPeriod(db, 91);
  await Promise.all([appendEvents(keeping.log, a, 350), appendEvents(keeping.log, b, 5)]);
  await signLogs(keeping, a, b);
  return [a, b];
}

/** Ends the present period, and lets it be so many days ago that it ended. */
export async function endPeriod(
  db: Pick<TestDatabase, 'cells' | 'superuser'>,
  daysAgo: number,
): Promise<void> {
  await new LogPeriods(db.cells.home).keep(0);
  await db.superuser.query(
    `UPDATE audit.periods SET begun_at = LEAST(begun_at, now() - make_interval(days => $1)) WHERE begun_at IS NOT NULL`,
    [daysAgo],
  );
}

export function inDays(days: number): Date {
  return new Date(Date.now() + days * DAY);
}
