import { Injectable } from '@nestjs/common';
import type { TenantRef } from '../database/index.js';

/** What keeps an object from being deleted. */
export interface ObjectLock {
  readonly retainUntil: Date | undefined;
  readonly legalHold: boolean;
}

export interface PutObjectOptions {
  readonly contentType?: string;
  /** Until then it cannot be deleted, by nobody. Only where the store has locks. */
  readonly retainUntil?: Date;
  /** Nor while it is held. */
  readonly legalHold?: boolean;
}

/** How objects of a store are locked. */
export interface ObjectLocks {
  /** Of one that is not there: not at all. */
  of(key: string): Promise<ObjectLock>;
  /** Makes the time longer, never shorter. */
  extend(key: string, retainUntil: Date): Promise<void>;
  hold(key: string, held: boolean): Promise<void>;
}

/** Keeps bytes under keys: `/`-separated segments of A-Z a-z 0-9 . _ = -. Adapters: files, S3 (libs/infra). */
export interface ObjectStore {
  /** Durable when it resolves; readers see the former object or this one. */
  put(key: string, body: Buffer, options?: PutObjectOptions): Promise<void>;
  get(key: string): Promise<Buffer | null>;
  /** Keys in the order of their bytes. */
  list(prefix: string, options: { readonly after?: string; readonly limit: number }): Promise<string[]>;
  /** Bytes of all objects whose keys begin so. */
  size(prefix: string): Promise<number>;
  /** Of no effect where there is no such object. Rejects where it is locked: see `lockOf`. */
  delete(key: string): Promise<void>;
  /** Undefined where the store cannot lock. */
  readonly locks?: ObjectLocks | undefined;
}

/** The lock for which an object was not deleted; undefined where it was something else. */
export function lockOf(error: unknown): ObjectLock | undefined {
  const locked = error instanceof Error && error.name === 'ObjectLocked' && 'lock' in error;
  return locked ? (error.lock as ObjectLock) : undefined;
}

/** The object store of each cell: what a tenant stores stays in its cell. */
export class CellObjects {
  constructor(private readonly byCell: ReadonlyMap<string, ObjectStore>) {}

  of(cell: string): ObjectStore {
    const store = this.byCell.get(cell);
    if (!store) throw new Error(`No cell of the name ${cell} is configured.`);
    return store;
  }
}

/** A tenant's objects, in its cell's store and below its own prefix. Contents that are sensitive are sealed before they come here. */
@Injectable()
export class TenantObjects {
  constructor(private readonly cells: CellObjects) {}

  put(tenant: TenantRef, key: string, body: Buffer, options?: PutObjectOptions): Promise<void> {
    return this.cells.of(tenant.cell).put(keyOf(tenant, key), body, options);
  }

  /** How an object is locked; undefined where the tenant's store cannot lock. */
  async lock(tenant: TenantRef, key: string): Promise<ObjectLock | undefined> {
    return this.cells.of(tenant.cell).locks?.of(keyOf(tenant, key));
  }

  /** Makes the time of a lock longer. Of no effect where the tenant's store cannot lock. */
  async extendLock(tenant: TenantRef, key: string, retainUntil: Date): Promise<void> {
    await this.cells.of(tenant.cell).locks?.extend(keyOf(tenant, key), retainUntil);
  }

  /** Of no effect where the tenant's store cannot lock. */
  async hold(tenant: TenantRef, key: string, held: boolean): Promise<void> {
    await this.cells.of(tenant.cell).locks?.hold(keyOf(tenant, key), held);
  }

  /** Whether what is put with `retainUntil` is locked. */
  canLock(tenant: TenantRef): boolean {
    return this.cells.of(tenant.cell).locks !== undefined;
  }

  get(tenant: TenantRef, key: string): Promise<Buffer | null> {
    return this.cells.of(tenant.cell).get(keyOf(tenant, key));
  }

  delete(tenant: TenantRef, key: string): Promise<void> {
    return this.cells.of(tenant.cell).delete(keyOf(tenant, key));
  }

  /** Bytes of all that the tenant stores. */
  size(tenant: TenantRef): Promise<number> {
    return this.cells.of(tenant.cell).size(keyOf(tenant, ''));
  }

  /** A page of the tenant's keys, without its prefix. */
  async list(
    tenant: TenantRef,
    options: { readonly after?: string; readonly limit: number },
  ): Promise<string[]> {
    const prefix = keyOf(tenant, '');
    const after = options.after === undefined ? {} : { after: keyOf(tenant, options.after) };
    const keys = await this.cells.of(tenant.cell).list(prefix, { ...after, limit: options.limit });
    return keys.map((key) => key.slice(prefix.length));
  }
}

/** The key in the store. */
export function keyOf({ id }: TenantRef, key: string): string {
  return `tenants/${id}/${key}`;
}
