import { OutgoingPosts } from '@waxell/infra';
import { v7 as uuidv7 } from 'uuid';
import { canonicalEvent, newEventId } from '../../src/audit/audit-event.js';
import { AuditLog } from '../../src/audit/audit-log.js';
import { EventRecorder } from '../../src/audit/event-recorder.js';
import { ExportLog } from '../../src/audit/export-log.js';
import { LogReader } from '../../src/audit/log-reader.js';
import { PersonalParts } from '../../src/audit/personal-parts.js';
import { Sealed, type FieldEncryption } from '../../src/encryption/index.js';
import { ReceiversConfig, RegionConfig, WorkerConfig } from '../../src/platform/config/index.js';
import type { TenantRef } from '../../src/platform/database/index.js';
import { Gauges } from '../../src/platform/observability/gauges.js';
import { Log } from '../../src/platform/observability/log.js';
import type { Idempotency } from '../../src/requests/idempotency.js';
import { UnitOfWork } from '../../src/requests/index.js';
import { Deliver } from '../../src/siem/deliver.js';
import { Deliveries } from '../../src/siem/deliveries.js';
import { DestinationEntity } from '../../src/siem/destination.entity.js';
import { Destinations } from '../../src/siem/destinations.js';
import type { RedeliverDto, RedeliveryDto } from '../../src/siem/destinations.dto.js';
import { RedeliverDeadLetters } from '../../src/siem/redeliver-dead-letters.js';
import { Exporter } from '../../src/siem/exporter.js';
import { WatchLag } from '../../src/siem/watch-lag.js';
import type { Residence } from '../../src/tenancy/index.js';
import { coldLogOf } from './log-parts.js';
import { MemoryObjects } from './memory-objects.js';
import { openSealing } from './sealing.js';
import type { TestDatabase } from './test-database.js';

/** A database with tenants that have keys, and what follows their logs. */
export interface Exporting {
  readonly db: TestDatabase;
  readonly log: AuditLog;
  readonly deliveries: Deliveries;
  readonly encryption: FieldEncryption;
  /** One process that exports. */
  exporter(): Exporter;
  /** Sends again what a destination has refused, as its administrator does. */
  redeliver(tenant: TenantRef, id: string, body: RedeliverDto): Promise<RedeliveryDto>;
  /** Looks at how far destinations are behind, as one more process. */
  watchLag(): Promise<void>;
  newTenant(): Promise<TenantRef>;
  destroyKeys(tenant: TenantRef): Promise<void>;
  /** A destination that is sent the whole log. */
  destination(
    tenant: TenantRef,
    kind: DestinationEntity['kind'],
    url: string,
    credential: string,
  ): Promise<string>;
  append(tenant: TenantRef, count: number, changes?: Record<string, unknown>): Promise<void>;
  /** Lets time pass for whatever waits to be tried again. */
  passSeconds(seconds: number): Promise<void>;
  close(): Promise<void>;
}

export async function openExporting(): Promise<Exporting> {
  const { db, encryption, newTenant, inTenant, destroyKeys, close } = await openSealing([DestinationEntity]);
  const log = new AuditLog(db.cells);
  const deliveries = new Deliveries(db.cells);
  const http = new OutgoingPosts({ allowPrivate: ['127.0.0.0/8'], answerWithinMs: 3_000 });
  const personal = new PersonalParts(encryption);
  const residence = undefined as unknown as Residence;
  const events = new EventRecorder(log, db.database, encryption, residence, db.cells);
  const exportLog = new ExportLog(
    new LogReader(db.cells, coldLogOf(db.cells, new MemoryObjects())),
    log,
    personal,
  );
  const deliver = new Deliver(db.database, exportLog, events, deliveries, http);
  const work = new UnitOfWork(db.transactions, events, undefined as unknown as Idempotency, residence);
  const destinations = new Destinations(db.database, work, deliveries, new ReceiversConfig(false, true));
  const again = new RedeliverDeadLetters(destinations, deliver, deliveries, exportLog, db.cells);
  return {
    db,
    log,
    deliveries,
    encryption,
    redeliver: (tenant, id, body) => db.database.within(tenant, () => again.execute(id, body)),
    exporter: () => {
      const regions = new RegionConfig(undefined, {});
      const worker = new WorkerConfig(1, false);
      return new Exporter(db.cells, deliveries, deliver, regions, worker, new Log('silent'));
    },
    watchLag: () =>
      new WatchLag(
        db.cells,
        events,
        new RegionConfig(undefined, {}),
        new Gauges(new Log('silent')),
        new Log('silent'),
      ).look(),
    newTenant: () => newTenant(),
    destroyKeys,
    destination: (tenant, kind, url, credential) =>
      inTenant(tenant, async () => {
        const id = uuidv7();
        const repository = db.database.repository(DestinationEntity);
        await repository.insert(
          repository.create({
            id,
            name: kind,
            kind,
            settings: { url, personalData: true },
            credentials: Sealed.of({ current: credential }),
            paused: false,
            createdBy: 'test',
          }),
        );
        await db.database.query({ text: 'SELECT audit.deliver_to($1, true)', values: [id] });
        return id;
      }),
    append: async (tenant, count, changes) => {
      const event = { action: 'agent.read', actor: { type: 'user', id: 'u' }, outcome: 'success' } as const;
      await Promise.all(
        Array.from({ length: count }, () =>
          log.append(
            tenant,
            canonicalEvent(newEventId(), tenant, { ...event, ...(changes && { changes }) }, undefined),
          ),
        ),
      );
    },
    passSeconds: async (seconds) => {
      await db.superuser.query(
        'UPDATE audit.deliveries SET due_at = due_at - make_interval(secs => $1), lease_until = lease_until - make_interval(secs => $1)',
        [seconds],
      );
    },
    close: async () => {
      await http.close();
      await close();
    },
  };
}
