import { createHmac } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { TenantRef } from '../platform/database/index.js';
import { FieldUnreadable, headerOf, kekIdOf, openField, rewrapField, sealField } from './field-codec.js';
import type { FieldPlace } from './field-place.js';
import { KeyRing } from './key-ring.js';
import type { IndexKey, TenantKeys } from './tenant-keys.js';

/** Table, column and row of a value; the tenant comes with the keys. */
export interface Place {
  readonly table: string;
  readonly column: string;
  readonly row: string;
}

/** Seals and opens single values that are not columns of an entity: events, checkpoints, stored responses. */
@Injectable()
export class FieldEncryption {
  constructor(private readonly keys: KeyRing) {}

  async sealJson(tenant: TenantRef, place: Place, value: unknown): Promise<Buffer> {
    // Not awaited where the keys are in memory: this is on the path of every request.
    const keys = this.keys.warm(tenant.id) ?? (await this.keys.of(tenant));
    return sealWith(keys, tenant.id, place, value);
  }

  async openJson(tenant: TenantRef, place: Place, stored: Buffer): Promise<unknown> {
    return openWith(await this.#opening(tenant, stored), tenant.id, place, stored);
  }

  /** As `sealJson`, for bytes as they are: what is too large to be written as JSON once more. */
  async sealBytes(tenant: TenantRef, place: Place, value: Buffer): Promise<Buffer> {
    return sealBytesWith(await this.keys.of(tenant), tenant.id, place, value);
  }

  async openBytes(tenant: TenantRef, place: Place, stored: Buffer): Promise<Buffer> {
    return openBytesWith(await this.#opening(tenant, stored), tenant.id, place, stored);
  }

  /**
   * What stands for a value where only equality counts: equal values give equal pseudonyms, until the tenant's index key is
   * replaced. Tells nothing without that key.
   */
  async pseudonym(tenant: TenantRef, purpose: string, value: string): Promise<Buffer> {
    const [key] = (await this.keys.of(tenant)).indexes;
    if (!key) throw new Error(`Tenant ${tenant.id} has no index key.`);
    return blindIndexWith(key, 'pseudonym', purpose, value);
  }

  #opening(tenant: TenantRef, stored: Buffer): Promise<TenantKeys> {
    return this.keys.opening(tenant, [kekIdOf(stored)]);
  }
}

export function sealWith(keys: TenantKeys, tenant: string, place: Place, value: unknown): Buffer {
  return sealBytesWith(keys, tenant, place, Buffer.from(JSON.stringify(value)));
}

export function openWith(keys: TenantKeys, tenant: string, place: Place, stored: Buffer): unknown {
  return JSON.parse(openBytesWith(keys, tenant, place, stored).toString('utf8')) as unknown;
}

function sealBytesWith(keys: TenantKeys, tenant: string, place: Place, value: Buffer): Buffer {
  keys.wraps.take();
  return sealField(keys.current, { tenant, ...place }, value);
}

function openBytesWith(keys: TenantKeys, tenant: string, place: Place, stored: Buffer): Buffer {
  const kek = keys.byId.get(kekIdOf(stored));
  if (!kek) throw new FieldUnreadable();
  return openField(kek, { tenant, ...place }, stored);
}

/** The same value under the current key; undefined where it cannot be opened. */
export function rewrap(keys: TenantKeys, place: FieldPlace, stored: Buffer): Buffer | undefined {
  const from = keys.byId.get(kekOf(stored) ?? '');
  if (!from) return undefined;
  try {
    keys.wraps.take();
    return rewrapField(from, keys.current, place, stored);
  } catch (error) {
    if (error instanceof FieldUnreadable) return undefined;
    throw error;
  }
}

function kekOf(stored: Buffer): string | undefined {
  try {
    return headerOf(stored).keyId;
  } catch {
    return undefined;
  }
}

/** A blind index: equal values of one column give equal indexes, which tell nothing without the tenant's key. */
export function blindIndexWith({ key }: IndexKey, table: string, column: string, value: string): Buffer {
  return createHmac('sha256', key).update(`${table}\0${column}\0${value}`).digest();
}
