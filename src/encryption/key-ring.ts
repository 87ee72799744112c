import { createSecretKey, type KeyObject } from 'node:crypto';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { v7 as uuidv7 } from 'uuid';
import { Feed, TenantDatabase, type Statement, type TenantRef } from '../platform/database/index.js';
import { FieldUnreadable, type Kek } from './field-codec.js';
import { CellKms } from './kms.js';

type Purpose = 'field' | 'index';

/** A tenant's keys in memory. */
export interface TenantKeys {
  /** Seals new fields. */
  readonly current: Kek;
  /** Opens fields, by the KEK id in their header. */
  readonly byId: ReadonlyMap<string, Kek>;
  /** Keys the blind indexes. */
  readonly index: KeyObject;
}

interface KeyRow {
  id: string;
  purpose: Purpose;
  kms_key_id: string;
  wrapped: Buffer;
}

/** Tenants whose keys a process holds at once; others are fetched again when needed. */
const TENANTS_IN_MEMORY = 5_000;
const KEEP_MS = 60 * 60 * 1_000;
/** The least that key services allow: long enough to notice a mistake, and to take it back with the key service itself. */
const DELETION_DAYS = 7;
const DEAD_ALREADY = new Set(['key_pending_deletion', 'key_not_found']);

/** Unwraps each tenant's keys once per process, however many ask at the same time. */
@Injectable()
export class KeyRing implements OnModuleInit {
  readonly #keys = new LRUCache<string, TenantKeys, TenantRef>({
    max: TENANTS_IN_MEMORY,
    ttl: KEEP_MS,
    // Forgotten while they are being fetched, they are good for who asked, and not kept.
    ignoreFetchAbort: true,
    fetchMethod: (_id, _stale, { context }) => this.#load(context),
  });

  constructor(
    private readonly database: TenantDatabase,
    private readonly kms: CellKms,
    private readonly feed: Feed,
  ) {}

  onModuleInit(): void {
    // Of a tenant that is not served any more, no process keeps the keys.
    this.feed.subscribe(({ kind, tenant }) => {
      if (kind === 'tenant') this.#keys.delete(tenant);
    });
  }

  async of(tenant: TenantRef): Promise<TenantKeys> {
    const keys = this.#keys.get(tenant.id) ?? (await this.#keys.fetch(tenant.id, { context: tenant }));
    if (!keys) throw new FieldUnreadable();
    return keys;
  }

  /** The keys if they are in memory: for places that cannot wait. */
  warm(tenant: string): TenantKeys | undefined {
    return this.#keys.get(tenant);
  }

  /** Statements that give a new tenant its keys; they belong in the transaction that creates its first rows. */
  async provision(tenant: TenantRef): Promise<Statement[]> {
    const kms = this.kms.of(tenant.cell);
    const kmsKeyId = await kms.createTenantKey(tenant.id);
    const statements: Statement[] = [];
    for (const purpose of ['field', 'index'] as const) {
      const { plaintext, wrapped } = await kms.generateDataKey(kmsKeyId, context(tenant, purpose));
      plaintext.fill(0);
      statements.push({
        text: 'INSERT INTO encryption_keys (id, purpose, kms_key_id, wrapped) VALUES ($1, $2, $3, $4)',
        values: [uuidv7(), purpose, kmsKeyId, wrapped],
      });
    }
    return statements;
  }

  /** Condemns the tenant's keys: nothing that they have sealed can be read from now on. Answers their ids; may be repeated. */
  async condemn(tenant: TenantRef): Promise<string[]> {
    const rows = await this.database.within(tenant, () =>
      this.database.query<{ kms_key_id: string }>({
        text: 'SELECT DISTINCT kms_key_id FROM encryption_keys ORDER BY 1',
        values: [],
      }),
    );
    const kms = this.kms.of(tenant.cell);
    for (const { kms_key_id: id } of rows) {
      await kms.scheduleKeyDeletion(id, DELETION_DAYS).catch((error: unknown) => {
        if (!DEAD_ALREADY.has(String((error as { code?: unknown }).code))) throw error;
      });
    }
    this.#keys.delete(tenant.id);
    return rows.map(({ kms_key_id: id }) => id);
  }

  async #load(tenant: TenantRef): Promise<TenantKeys> {
    const rows = await this.database.within(tenant, () =>
      this.database.query<KeyRow & Record<string, unknown>>({
        // Named, so that it goes over the read lane: whoever asks may hold a connection of the pool already, and with all
        // of them held by such callers nobody would get a second one.
        name: 'encryption_keys',
        text: 'SELECT id, purpose, kms_key_id, wrapped FROM encryption_keys ORDER BY created_at, id',
        values: [],
      }),
    );
    const kms = this.kms.of(tenant.cell);
    const byId = new Map<string, Kek>();
    let current: Kek | undefined;
    let index: KeyObject | undefined;
    for (const row of rows) {
      const plaintext = await kms.decrypt(row.kms_key_id, row.wrapped, context(tenant, row.purpose));
      const key = createSecretKey(plaintext);
      plaintext.fill(0);
      if (row.purpose === 'index') {
        index = key;
        continue;
      }
      const hex = row.id.replaceAll('-', '');
      current = { id: Buffer.from(hex, 'hex'), key };
      byId.set(hex, current);
    }
    if (!current || !index) throw new Error(`Tenant ${tenant.id} has no encryption keys.`);
    return { current, byId, index };
  }
}

function context(tenant: TenantRef, purpose: Purpose): Record<string, string> {
  return { tenant: tenant.id, purpose };
}
