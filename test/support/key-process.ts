import { AwsKms } from '@waxell/infra';
import { EventRecorder } from '../../src/audit/event-recorder.js';
import { AuditLog } from '../../src/audit/audit-log.js';
import { AgentEntity, AgentVersionEntity, ProjectEntity } from '../../src/agents/index.js';
import { ApiKeyEntity, UserEntity } from '../../src/auth/index.js';
import { BlindLookup } from '../../src/encryption/blind-lookup.js';
import { CustomerKeys } from '../../src/encryption/customer-keys.js';
import { EncryptionSubscriber } from '../../src/encryption/encryption.subscriber.js';
import { FieldEncryption } from '../../src/encryption/field-encryption.js';
import { KeyRing } from '../../src/encryption/key-ring.js';
import { KeySchedules } from '../../src/encryption/key-schedules.js';
import { KEY_TIMES, KeyTimes } from '../../src/encryption/key-times.js';
import { CellKms, type Kms } from '../../src/encryption/kms.js';
import { HeldKeys } from '../../src/encryption/held-keys.js';
import { Openers } from '../../src/encryption/openers.js';
import { SubjectKeys } from '../../src/encryption/subject-keys.js';
import { NewKeyVersions } from '../../src/encryption/new-key-version.js';
import { AdoptKeys } from '../../src/keys/adopt-keys.js';
import { ReplaceIndex } from '../../src/keys/replace-index.js';
import { RewrapPersons } from '../../src/keys/rewrap-persons.js';
import { RewrapValues } from '../../src/keys/rewrap-values.js';
import { RotateKeys } from '../../src/keys/rotate-keys.js';
import { RotationSchedule } from '../../src/keys/rotation-schedule.js';
import { SealedRows } from '../../src/keys/sealed-rows.js';
import { WipeKeys } from '../../src/keys/wipe-keys.js';
import { CELL_MIGRATIONS, TENANT_MIGRATIONS } from '../../src/migrations/index.js';
import { OperationRunner, Operations, type Step } from '../../src/operations/index.js';
import { OperationLeases } from '../../src/operations/operation-lease.js';
import { WorkerConfig } from '../../src/platform/config/index.js';
import { Cell, Cells, Feed, Provisioning, TenantDatabase } from '../../src/platform/database/index.js';
import { RegistryTransactions } from '../../src/platform/database/registry-transactions.js';
import { TenantTransactions } from '../../src/platform/database/tenant-transactions.js';
import { Log } from '../../src/platform/observability/log.js';
import { Idempotency } from '../../src/requests/idempotency.js';
import { RegistryWork, UnitOfWork } from '../../src/requests/index.js';
import { RunEntity } from '../../src/runs/index.js';
import { Residence, TenantRegistry } from '../../src/tenancy/index.js';
import type { FakeKms } from '../fakes/kms.js';
import { LOGIN_SECRET } from './test-database.js';

/** The parts of a process that keys go through, on connections and with a memory of its own. */
export type KeyProcess = Awaited<ReturnType<typeof startKeyProcess>>;

/** Clock and pauses short enough for a test; a rotation settles in a fifth of a second. */
export function quickTimes(now: () => number = () => performance.now()): KeyTimes {
  const { fresh, refreshAhead, stale } = KEY_TIMES;
  return new KeyTimes(fresh, refreshAhead, stale, 50, 1_000, 200, now);
}

/** The real client of the fake, as impatient as a test. */
export function clientOf({ region, endpoint, credentials }: FakeKms): Kms {
  return new AwsKms({ region, endpoint, credentials, requestTimeoutMs: 500 });
}

export async function startKeyProcess(
  url: string,
  kms: Kms,
  {
    times = quickTimes(),
    working = true,
    deaf = false,
  }: {
    times?: KeyTimes;
    /** Takes operations up. */
    working?: boolean;
    /** Hears nothing of what other processes change, and believes that it does. */
    deaf?: boolean;
  } = {},
) {
  const log = new Log('silent');
  const entities = [UserEntity, ApiKeyEntity, ProjectEntity, AgentEntity, AgentVersionEntity, RunEntity];
  const name = 'eu-test-1-c1';
  const cell = new Cell(
    { name, region: 'eu-test-1', capacity: 10_000, ownerUrl: url },
    LOGIN_SECRET,
    { tenant: 4, lane: 2, control: 3, audit: 2 },
    entities,
    () => undefined,
  );
  const cells = new Cells([cell]);
  await cells.open();
  const feed = new Feed(cells, log);
  await feed.open();
  const heard = deaf ? ({ subscribe: () => () => undefined, reliable: () => true } as unknown as Feed) : feed;
  const provisioning = new Provisioning(cells, LOGIN_SECRET, {
    cell: CELL_MIGRATIONS,
    tenant: TENANT_MIGRATIONS,
  });
  const database = new TenantDatabase(cells);
  const tenants = new TenantRegistry(cells, feed, provisioning);
  tenants.onModuleInit();
  const residence = new Residence(tenants);
  const cellKms = new CellKms(new Map([[name, kms]]));
  const schedules = new KeySchedules(cells);
  const keys = new KeyRing(database, cellKms, heard, schedules, times, log);
  keys.onModuleInit();
  const subjects = new SubjectKeys(keys, database, heard, times, log);
  subjects.onModuleInit();
  const held = new HeldKeys(cellKms, times);
  held.onModuleInit();
  const openers = new Openers(keys, subjects, held);
  const fields = new FieldEncryption(keys, subjects, openers, held);
  cell.observe(new EncryptionSubscriber(keys, subjects, openers, fields, database));
  const auditLog = new AuditLog(cells);
  const events = new EventRecorder(auditLog, database, fields, residence, cells);
  const idempotency = new Idempotency(database, fields);
  const work = new UnitOfWork(new TenantTransactions(cells), events, idempotency, residence);
  const registry = new RegistryWork(new RegistryTransactions(cells), events, cells);
  new AdoptKeys(keys, subjects, database, work).onModuleInit();
  const runner = new OperationRunner(new OperationLeases(cells), new WorkerConfig(1, false), log);
  const operations = new Operations(cells);
  let steps: Readonly<Record<string, Step>> = {};
  const registering = {
    register: (kind: string, registered: typeof steps) => {
      steps = registered;
      runner.register(kind, registered);
    },
  } as OperationRunner;
  const sealedRows = new SealedRows(database, cells, work, registry);
  const rotate = new RotateKeys(
    registering,
    operations,
    tenants,
    cells,
    database,
    work,
    keys,
    new NewKeyVersions(keys, cellKms),
    schedules,
    times,
    new RewrapPersons(database, work, keys),
    new RewrapValues(keys, subjects, fields, sealedRows, times),
    new ReplaceIndex(database, work, keys, openers, fields),
  );
  rotate.onModuleInit();
  const schedule = new RotationSchedule(schedules, rotate, registry, log);
  if (working) await runner.onApplicationBootstrap();
  return {
    cells,
    database,
    feed,
    keys,
    customers: new CustomerKeys(keys, cellKms),
    subjects,
    fields,
    lookup: new BlindLookup(database, keys),
    work,
    registry,
    schedules,
    schedule,
    rotate,
    sealedRows,
    wiping: new WipeKeys(database, work, keys),
    /** Of a rotation, to be taken by hand. */
    steps,
    runner,
    operations,
    close: async () => {
      await runner.beforeApplicationShutdown();
      keys.onApplicationShutdown();
      held.onApplicationShutdown();
      await auditLog.onApplicationShutdown();
      await feed.onApplicationShutdown();
      await provisioning.close();
      await cells.close();
    },
  };
}
