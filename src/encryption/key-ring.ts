import { createSecretKey, randomBytes } from 'node:crypto';
import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { Feed, TenantDatabase, type Statement, type TenantRef } from '../platform/database/index.js';
import { Log } from '../platform/observability/log.js';
import { KeyCache, type Loaded } from './key-cache.js';
import { KeySchedules } from './key-schedules.js';
import { KeyTimes } from './key-times.js';
import { CellKms } from './kms.js';
import {
  fingerprintOf,
  KEY_ROWS,
  kmsContext,
  named,
  openKeys,
  type KeyRow,
  type OpenedKeys,
  type TenantKeys,
} from './tenant-keys.js';
import { WrapCount } from './wrap-count.js';
import { wrapKey } from './wrapped-key.js';

/** The least that key services allow: long enough to notice a mistake, and to take it back with the key service itself. */
const DELETION_DAYS = 7;
const DEAD_ALREADY = new Set(['key_pending_deletion', 'key_not_found']);
const SWEEP_MS = 60_000;

/** A key that only the KMS wraps, as it is to be wrapped by the tenant's field key. */
export interface AdoptedKey {
  readonly id: string;
  readonly inner: Buffer;
  readonly by: string;
}

type Adopt = (tenant: TenantRef, keys: readonly AdoptedKey[]) => Promise<void>;

/** A tenant's keys: one call to the KMS per tenant and process, however many keys there are and however many ask. */
@Injectable()
export class KeyRing implements OnModuleInit, OnApplicationShutdown {
  readonly #cache: KeyCache<TenantKeys>;
  #adopt: Adopt | undefined;
  #sweep: NodeJS.Timeout | undefined;

  constructor(
    private readonly database: TenantDatabase,
    private readonly kms: CellKms,
    private readonly feed: Feed,
    private readonly schedules: KeySchedules,
    private readonly times: KeyTimes,
    private readonly log: Log,
  ) {
    const [ofCustomer, held] = [times.ofCustomerKeys(), times.ofHeldKeys()];
    this.#cache = new KeyCache<TenantKeys>(
      (tenant, held, open) => this.#load(tenant, held, open),
      ({ custody, holds }) => (holds ? held : custody === 'customer' ? ofCustomer : this.times),
      this.times.now,
      () => this.feed.reliable(),
      (tenant, error) => this.log.error('keys could not be fetched again', error, { tenant: tenant.id }),
    );
  }

  onModuleInit(): void {
    this.feed.subscribe(({ kind, tenant }) => {
      if (kind === 'keys') return this.#cache.changed(tenant);
      if (kind !== 'tenant') return;
      if (tenant === '*') this.#cache.doubtAll();
      else this.#cache.doubt(tenant);
    });
    this.#sweep = setInterval(() => this.#cache.sweep(), SWEEP_MS).unref();
  }

  onApplicationShutdown(): void {
    clearInterval(this.#sweep);
  }

  of(tenant: TenantRef): Promise<TenantKeys> {
    return this.#cache.of(tenant);
  }

  /** The keys if they are in memory: for places that cannot wait. */
  warm(tenant: string): TenantKeys | undefined {
    return this.#cache.get(tenant);
  }

  /** The keys as the database has them at this moment. */
  reread(tenant: TenantRef): Promise<TenantKeys> {
    return this.#cache.reread(tenant);
  }

  /** Locks the key rows of the tenant in scope until the end of the running transaction; answers `TenantKeys.rows`. */
  async lock(): Promise<string> {
    return fingerprintOf(
      await this.database.query<KeyRow & Record<string, unknown>>({
        ...KEY_ROWS,
        text: `${KEY_ROWS.text} FOR UPDATE`,
      }),
    );
  }

  /** Who stores what `KeyRing` itself cannot: keys that only the KMS wraps cost a call each, until the field key wraps them. */
  adoptBy(adopt: Adopt): void {
    this.#adopt = adopt;
  }

  /** Statements that give a new tenant its keys; they belong in the transaction that creates its first rows. */
  async provision(tenant: TenantRef): Promise<Statement[]> {
    const kms = this.kms.of(tenant.cell);
    const kmsKeyId = await kms.createTenantKey(tenant.id);
    const [field, index] = [uuidv7(), uuidv7()];
    const { plaintext, wrapped } = await kms.generateDataKey(kmsKeyId, kmsContext(tenant, 'field'));
    const inner = wrapNewKey(tenant, plaintext, field, index);
    return [
      {
        text: `INSERT INTO encryption_keys (id, purpose, kms_key_id, wrapped) VALUES ($1, 'field', $2, $3)`,
        values: [field, kmsKeyId, wrapped],
      },
      {
        text: `INSERT INTO encryption_keys (id, purpose, kms_key_id, inner_wrapped, wrapped_by) VALUES ($1, 'index', $2, $3, $4)`,
        values: [index, kmsKeyId, inner, field],
      },
    ];
  }

  /** Condemns the tenant's keys: nothing that they have sealed can be read from now on. Answers their ids; may be repeated. */
  async condemn(tenant: TenantRef): Promise<string[]> {
    const rows = await this.database.within(tenant, () =>
      this.database.query<{ kms_key_id: string }>({
        // A customer's key is the customer's to condemn. As JSON: a tenant that was never migrated has no such column.
        text: `SELECT DISTINCT kms_key_id FROM encryption_keys k WHERE COALESCE(to_jsonb(k) ->> 'custody', 'ours') = 'ours' ORDER BY 1`,
        values: [],
      }),
    );
    const kms = this.kms.of(tenant.cell);
    for (const { kms_key_id: id } of rows) {
      await kms.scheduleKeyDeletion(id, DELETION_DAYS).catch((error: unknown) => {
        if (!DEAD_ALREADY.has(String((error as { code?: unknown }).code))) throw error;
      });
    }
    this.#cache.drop(tenant.id);
    return rows.map(({ kms_key_id: id }) => id);
  }

  async #load(tenant: TenantRef, held: TenantKeys | undefined, open: boolean): Promise<Loaded<TenantKeys>> {
    const rows = await this.database.within(tenant, () =>
      // Named, so that it goes over the read lane: whoever asks may hold a connection of the pool already, and with all
      // of them held by such callers nobody would get a second one.
      this.database.query<KeyRow & Record<string, unknown>>({ ...KEY_ROWS, name: 'encryption_keys' }),
    );
    if (held && !open && held.rows === fingerprintOf(rows)) return { keys: held, opened: false };
    const opened = await openKeys(tenant, rows, this.kms.of(tenant.cell));
    this.#adoptLoose(tenant, opened);
    const wraps = held?.current.id.equals(opened.current.id) ? held.wraps : this.#counting(tenant, opened);
    const { loose: _, ...keys } = opened;
    return { keys: { ...keys, wraps }, opened: true };
  }

  #counting(tenant: TenantRef, { currentId: kek, since }: OpenedKeys): WrapCount {
    return new WrapCount(
      async (wraps) => {
        const newest = await this.schedules.count({ tenant: tenant.id, kek, since }, wraps);
        // Rotated by a process that was not heard.
        if (newest !== kek) this.#cache.changed(tenant.id);
      },
      (error) => this.log.error('the use of a key could not be counted', error, { tenant: tenant.id }),
    );
  }

  #adoptLoose(tenant: TenantRef, { currentId, current, loose }: OpenedKeys): void {
    if (loose.length === 0 || !this.#adopt) return;
    const adopted = loose.map(({ id, purpose, key }) => {
      const bytes = key.export();
      const inner = wrapKey(current, { tenant: tenant.id, purpose, id }, bytes);
      bytes.fill(0);
      return { id, inner, by: currentId };
    });
    this.#adopt(tenant, adopted).catch((error: unknown) =>
      this.log.error('keys stay as they are wrapped; it is tried again', error, { tenant: tenant.id }),
    );
  }
}

/** Makes an index key and wraps it by a field key, whose plaintext is wiped. */
function wrapNewKey(tenant: TenantRef, plaintext: Buffer, field: string, index: string): Buffer {
  const by = named(field, createSecretKey(plaintext));
  plaintext.fill(0);
  const key = randomBytes(32);
  const inner = wrapKey(by, { tenant: tenant.id, purpose: 'index', id: index }, key);
  key.fill(0);
  return inner;
}
