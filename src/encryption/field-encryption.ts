import { createHmac } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { TenantRef } from '../platform/database/index.js';
import { FieldUnreadable, kekIdOf, openField, sealField } from './field-codec.js';
import { KeyRing, type TenantKeys } from './key-ring.js';

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
    return openWith(await this.keys.of(tenant), tenant.id, place, stored);
  }

  /** As `sealJson`, for bytes as they are: what is too large to be written as JSON once more. */
  async sealBytes(tenant: TenantRef, place: Place, value: Buffer): Promise<Buffer> {
    return sealField((await this.keys.of(tenant)).current, { tenant: tenant.id, ...place }, value);
  }

  async openBytes(tenant: TenantRef, place: Place, stored: Buffer): Promise<Buffer> {
    return openBytesWith(await this.keys.of(tenant), tenant.id, place, stored);
  }

  /** A blind index: equal values of one column give equal indexes, which tell nothing without the tenant's key. */
  async blindIndex(tenant: TenantRef, table: string, column: string, value: string): Promise<Buffer> {
    return blindIndexWith(await this.keys.of(tenant), table, column, value);
  }
}

export function sealWith(keys: TenantKeys, tenant: string, place: Place, value: unknown): Buffer {
  return sealField(keys.current, { tenant, ...place }, Buffer.from(JSON.stringify(value)));
}

export function openWith(keys: TenantKeys, tenant: string, place: Place, stored: Buffer): unknown {
  return JSON.parse(openBytesWith(keys, tenant, place, stored).toString('utf8')) as unknown;
}

function openBytesWith(keys: TenantKeys, tenant: string, place: Place, stored: Buffer): Buffer {
  const kek = keys.byId.get(kekIdOf(stored));
  if (!kek) throw new FieldUnreadable();
  return openField(kek, { tenant, ...place }, stored);
}

export function blindIndexWith(keys: TenantKeys, table: string, column: string, value: string): Buffer {
  return createHmac('sha256', keys.index).update(`${table}\0${column}\0${value}`).digest();
}
