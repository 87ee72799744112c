import { AlertEntity, ChannelEntity, RaiseAlerts } from '../../src/alerts/index.js';
import { Notifications } from '../../src/alerts/notifications.js';
import { canonicalEvent, newEventId, parseEvent, type AuditEvent } from '../../src/audit/audit-event.js';
import { AuditLog } from '../../src/audit/audit-log.js';
import type { FieldEncryption } from '../../src/encryption/index.js';
import { EventRecorder } from '../../src/audit/event-recorder.js';
import { ExportLog } from '../../src/audit/export-log.js';
import { LogReader } from '../../src/audit/log-reader.js';
import { PersonalParts } from '../../src/audit/personal-parts.js';
import { Detect } from '../../src/detection/detect.js';
import { DetectionRules } from '../../src/detection/detection-rules.js';
import { DetectionStates } from '../../src/detection/detection-state.js';
import { RecheckLogs } from '../../src/detection/recheck-logs.js';
import { FollowLogs } from '../../src/detection/follow-logs.js';
import { RegionConfig } from '../../src/platform/config/index.js';
import type { TenantId, TenantRef } from '../../src/platform/database/index.js';
import type { AuditAction } from '../../src/platform/events/index.js';
import { Log } from '../../src/platform/observability/log.js';
import { UnitOfWork } from '../../src/requests/index.js';
import { Idempotency } from '../../src/requests/idempotency.js';
import type { Residence, TenantRegistry } from '../../src/tenancy/index.js';
import { coldLogOf, indexerOf } from './log-parts.js';
import { MemoryObjects } from './memory-objects.js';
import { openSealing, type Sealing } from './sealing.js';
import type { TestDatabase } from './test-database.js';

/** An alert as a test looks at it. */
export interface FoundAlert {
  readonly rule: string;
  readonly key: string;
  readonly severity: string;
  readonly status: string;
  readonly occurrences: number;
  readonly details: object;
  readonly subject: Record<string, string> | undefined;
}

/** Tenants with logs, and what follows them. */
export interface Detecting {
  readonly db: TestDatabase;
  /** For what else is done in a tenant's name. */
  readonly inTenant: Sealing['inTenant'];
  readonly encryption: FieldEncryption;
  readonly addPerson: Sealing['addPerson'];
  readonly erase: Sealing['erase'];
  /** Of one more process. */
  unitOfWork(): UnitOfWork;
  recorder(): EventRecorder;
  newTenant(id?: TenantId): Promise<TenantRef>;
  destroyKeys(tenant: TenantRef): Promise<void>;
  record(tenant: TenantRef, count: number, event: AuditEvent): Promise<void>;
  recordAt(tenant: TenantRef, at: Date, action: AuditAction): Promise<void>;
  /** Puts an event into the log that says something else than we write: as none that was refused ever could. */
  append(tenant: TenantRef, members: object): Promise<void>;
  /** Looks at all that has grown, as one more process. */
  follow(): Promise<void>;
  /** Verifies so many events anew of whichever log has waited longest, as one more process. */
  recheck(events: number): Promise<void>;
  forgetHints(): Promise<void>;
  /** Whatever was in the memory of the process that appends is gone. */
  restart(): Promise<void>;
  alerts(tenant: TenantRef): Promise<FoundAlert[]>;
  actions(tenant: TenantRef): Promise<string[]>;
  close(): Promise<void>;
}

export async function openDetecting(): Promise<Detecting> {
  const { db, encryption, newTenant, addPerson, erase, inTenant, destroyKeys, close } = await openSealing([
    AlertEntity,
    ChannelEntity,
  ]);
  const { cells, database } = db;
  let log = new AuditLog(cells);
  const residence = { requireWritable: () => undefined } as unknown as Residence;
  const recorder = (): EventRecorder => new EventRecorder(log, database, encryption, residence, cells);
  const unitOfWork = (): UnitOfWork =>
    new UnitOfWork(db.transactions, recorder(), new Idempotency(database, encryption), residence);
  const follower = (): FollowLogs => {
    const [events, work] = [recorder(), unitOfWork()];
    const cold = coldLogOf(cells, new MemoryObjects());
    const reader = new LogReader(cells, cold);
    const exportLog = new ExportLog(reader, log, new PersonalParts(encryption));
    const index = indexerOf(cells, cold);
    const rules = new DetectionRules(database, work);
    const states = new DetectionStates(database);
    const alerts = new RaiseAlerts(database, new Notifications(database));
    const detect = new Detect(database, exportLog, encryption, events, rules, states, alerts, work);
    return new FollowLogs(cells, detect, index, new RegionConfig(undefined, {}), new Log('silent'));
  };
  return {
    db,
    inTenant,
    encryption,
    addPerson,
    erase,
    unitOfWork,
    recorder,
    newTenant,
    destroyKeys,
    record: async (tenant, count, event) => {
      const events = recorder();
      for (let at = 0; at < count; at += 1) await events.record(tenant, event);
    },
    recordAt: async (tenant, at, action) => {
      const event = { action, actor: { type: 'user', id: 'bob' }, outcome: 'success' } as const;
      const { bytes, search } = canonicalEvent(newEventId(), tenant, event, undefined);
      const when = `${at.toISOString().slice(0, -1)}000Z`;
      const moved = Buffer.from(JSON.stringify({ ...parseEvent(bytes), at: when }));
      await log.append(tenant, { bytes: moved, search: { ...search, at: when } });
    },
    append: async (tenant, members) => {
      const event = { action: 'agent.read', actor: { type: 'user', id: 'bob' }, outcome: 'success' } as const;
      const { bytes, search } = canonicalEvent(newEventId(), tenant, event, undefined);
      const said = { ...parseEvent(bytes), ...members };
      const { at, action, actor, outcome } = said;
      await log.append(tenant, {
        bytes: Buffer.from(JSON.stringify(said)),
        search: { ...search, at, action, actor: actor.id, outcome },
      });
    },
    follow: async () => {
      await log.drainOutbox(cells.home.name);
      await db.superuser.query('UPDATE audit.looked_at SET due_at = now()');
      await follower().round();
      await log.drainOutbox(cells.home.name);
    },
    recheck: async (events) => {
      const cold = coldLogOf(cells, new MemoryObjects());
      const here = { current: (id: TenantId) => Promise.resolve(cells.home.tenant(id)) };
      const tenants = here as unknown as TenantRegistry;
      const regions = new RegionConfig(undefined, {});
      await new RecheckLogs(cells, cold, recorder(), tenants, regions, new Log('silent')).round(events);
    },
    forgetHints: async () => {
      await db.superuser.query('DELETE FROM audit.looked_at');
    },
    restart: () => {
      log = new AuditLog(cells);
      return Promise.resolve();
    },
    alerts: (tenant) =>
      database.within(tenant, async () => {
        const found = await database.repository(AlertEntity).find({ order: { id: 'ASC' } });
        return found.map(({ rule, key, severity, status, occurrences, details, subject }) => ({
          rule,
          key,
          severity,
          status,
          occurrences,
          details,
          subject: subject?.revealUnlessErased(),
        }));
      }),
    actions: async (tenant) => {
      await log.drainOutbox(cells.home.name);
      const { rows } = await db.superuser.query<{ action: string }>(
        'SELECT action FROM audit.events WHERE tenant = $1 ORDER BY seq',
        [tenant.id],
      );
      return rows.map(({ action }) => action);
    },
    close,
  };
}
