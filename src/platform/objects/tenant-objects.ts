import { Injectable } from '@nestjs/common';
import type { TenantRef } from '../database/index.js';

/** Keeps bytes under keys: `/`-separated segments of A-Z a-z 0-9 . _ = -. Adapters: files, S3 (libs/infra). */
export interface ObjectStore {
  /** Durable when it resolves; readers see the former object or this one. */
  put(key: string, body: Buffer, options?: { readonly contentType?: string }): Promise<void>;
  get(key: string): Promise<Buffer | null>;
  /** Keys in the order of their bytes. */
  list(prefix: string, options: { readonly after?: string; readonly limit: number }): Promise<string[]>;
  /** Bytes of all objects whose keys begin so. */
  size(prefix: string): Promise<number>;
  /** Of no effect where there is no such object. */
  delete(key: string): Promise<void>;
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

  put(tenant: TenantRef, key: string, body: Buffer): Promise<void> {
    return this.cells.of(tenant.cell).put(keyOf(tenant, key), body);
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

function keyOf({ id }: TenantRef, key: string): string {
  return `tenants/${id}/${key}`;
}
