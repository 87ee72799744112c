import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { v7 as uuidv7 } from 'uuid';
import { LocalKms } from '@waxell/infra';
import type { EntityTarget, ObjectLiteral } from 'typeorm';
import { EncryptionSubscriber } from '../../src/encryption/encryption.subscriber.js';
import { HeldKeys } from '../../src/encryption/held-keys.js';
import {
  BlindLookup,
  FieldEncryption,
  KeyRing,
  NewRows,
  Openers,
  SubjectKeys,
} from '../../src/encryption/index.js';
import { KeySchedules } from '../../src/encryption/key-schedules.js';
import { KEY_TIMES } from '../../src/encryption/key-times.js';
import { CellKms } from '../../src/encryption/kms.js';
import type { Change, Feed, TenantId, TenantRef } from '../../src/platform/database/index.js';
import { Log } from '../../src/platform/observability/log.js';
import { openTestDatabase, type TestDatabase } from './test-database.js';

/** A database whose tenants have keys, as the application gives them. */
export interface Sealing {
  readonly db: TestDatabase;
  readonly encryption: FieldEncryption;
  readonly lookup: BlindLookup;
  readonly rows: NewRows;
  readonly openers: Openers;
  readonly newTenant: (id?: TenantId) => Promise<TenantRef>;
  /** As when its administrators have had the keys destroyed, and the process has heard of it. */
  readonly destroyKeys: (tenant: TenantRef) => Promise<void>;
  /** Somebody with a key of their own; answers the id. */
  readonly addPerson: (tenant: TenantRef) => Promise<string>;
  /** As the erasure of a person destroys the keys. */
  readonly erase: (tenant: TenantRef, person: string) => Promise<void>;
  /** A change of a tenant's tables, without an event. */
  readonly inTenant: <T>(tenant: TenantRef, work: () => Promise<T>) => Promise<T>;
  readonly close: () => Promise<void>;
}

/** What seals and opens values with these keys. */
export function fieldsOf({
  keys,
  subjects,
  kms,
}: {
  readonly keys: KeyRing;
  readonly subjects: SubjectKeys;
  readonly kms: CellKms;
}): { readonly openers: Openers; readonly fields: FieldEncryption } {
  const held = new HeldKeys(kms, KEY_TIMES);
  const openers = new Openers(keys, subjects, held);
  return { openers, fields: new FieldEncryption(keys, subjects, openers, held) };
}

export async function openSealing(entities: readonly EntityTarget<ObjectLiteral>[]): Promise<Sealing> {
  const db = await openTestDatabase({ entities });
  const home = await mkdtemp(join(tmpdir(), 'waxell-keys-'));
  const cell = db.cells.home;
  const kms = new CellKms(new Map([[cell.name, await LocalKms.open({ home })]]));
  const listeners: ((change: Change) => void)[] = [];
  const subscribe = (listener: (change: Change) => void) => void listeners.push(listener);
  const feed = { subscribe, reliable: () => true } as unknown as Feed;
  const keys = new KeyRing(db.database, kms, feed, new KeySchedules(db.cells), KEY_TIMES, new Log('silent'));
  const subjects = new SubjectKeys(keys, db.database, feed, KEY_TIMES, new Log('silent'));
  keys.onModuleInit();
  subjects.onModuleInit();
  const encryption = fieldsOf({ keys, subjects, kms });
  cell.observe(new EncryptionSubscriber(keys, subjects, encryption.openers, encryption.fields, db.database));
  const inTenant = <T>(tenant: TenantRef, work: () => Promise<T>): Promise<T> =>
    db.database.within(tenant, () => db.transactions.run(work));
  return {
    db,
    encryption: encryption.fields,
    lookup: new BlindLookup(db.database, keys),
    rows: new NewRows(keys, subjects, encryption.openers, encryption.fields, db.database),
    openers: encryption.openers,
    inTenant,
    destroyKeys: async (tenant) => {
      await db.superuser.query(
        `UPDATE "${tenant.id}".encryption_keys SET state = 'destroyed', wrapped = '', inner_wrapped = NULL, wrapped_by = NULL`,
      );
      for (const listener of listeners) listener({ kind: 'keys', tenant: tenant.id, id: '' });
    },
    addPerson: (tenant) =>
      inTenant(tenant, async () => {
        const id = uuidv7();
        const key = await subjects.create(id);
        await db.database.query({
          text: `INSERT INTO users (id, email, email_index, role) VALUES ($1, $2, $2, 'Viewer')`,
          values: [id, Buffer.from(id)],
        });
        await db.database.query(key);
        return id;
      }),
    erase: async (tenant, person) => {
      await inTenant(tenant, async () => {
        for (const statement of subjects.destroy(person)) await db.database.query(statement);
      });
      // Nobody announces anything here.
      subjects.forget(tenant.id, person);
    },
    newTenant: async (id) => {
      const tenant = await db.newTenant(id);
      for (const statement of await keys.provision(tenant))
        await inTenant(tenant, () => db.database.query(statement));
      return tenant;
    },
    close: async () => {
      keys.onApplicationShutdown();
      await db.close();
      await rm(home, { recursive: true });
    },
  };
}
