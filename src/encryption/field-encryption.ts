import { createHmac } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { TenantRef } from '../platform/database/index.js';
import {
  FieldUnreadable,
  headerOf,
  kekIdOf,
  openField,
  rewrapField,
  sealField,
  type Kek,
} from './field-codec.js';
import type { FieldPlace } from './field-place.js';
import { KeyRing } from './key-ring.js';
import { SubjectKeys, type FindKek } from './subject-keys.js';
import type { IndexKey, TenantKeys } from './tenant-keys.js';

/** Table, column and row of a value; the tenant comes with the keys. */
export interface Place {
  readonly table: string;
  readonly column: string;
  readonly row: string;
}

/**
 * Seals and opens single values that are not columns of an entity: events, checkpoints, stored responses. What is a
 * person's own is sealed under that person's key, and unreadable once the person is erased.
 */
@Injectable()
export class FieldEncryption {
  constructor(
    private readonly keys: KeyRing,
    private readonly subjects: SubjectKeys,
  ) {}

  /** @throws {PersonErased} when it would be sealed for somebody who was erased */
  async sealJson(tenant: TenantRef, place: Place, value: unknown, person?: string): Promise<Buffer> {
    // Not awaited where the keys are in memory: this is on the path of every request.
    const keys = this.keys.warm(tenant.id) ?? (await this.keys.of(tenant));
    const kek =
      person === undefined
        ? keys.current
        : (this.subjects.warm(keys, tenant.id, person) ??
          (await this.subjects.sealing(keys, tenant, person)));
    return sealWith(keys, kek, { tenant: tenant.id, ...place }, value);
  }

  /** @throws {FieldUnreadable | PersonErased} */
  async openJson(tenant: TenantRef, place: Place, stored: Buffer): Promise<unknown> {
    return openWith(await this.#opening(tenant, stored), { tenant: tenant.id, ...place }, stored);
  }

  /** As `sealJson`, for bytes as they are: what is too large to be written as JSON once more. */
  async sealBytes(tenant: TenantRef, place: Place, value: Buffer): Promise<Buffer> {
    const keys = await this.keys.of(tenant);
    return sealBytesWith(keys, keys.current, { tenant: tenant.id, ...place }, value);
  }

  async openBytes(tenant: TenantRef, place: Place, stored: Buffer): Promise<Buffer> {
    return openBytesWith(await this.#opening(tenant, stored), { tenant: tenant.id, ...place }, stored);
  }

  /** The person under whose key a value is sealed, erased or not; undefined where it is the tenant's. */
  async personOf(tenant: TenantRef, stored: Buffer): Promise<string | undefined> {
    return this.subjects.personOf(tenant, kekIdOf(stored));
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

  async #opening(tenant: TenantRef, stored: Buffer): Promise<FindKek> {
    return this.subjects.openingOf(tenant, [stored]);
  }
}

/** Seals under a key of the tenant or of a person: each counts as a use of the tenant's, after which all are replaced. */
export function sealWith(keys: TenantKeys, kek: Kek, place: FieldPlace, value: unknown): Buffer {
  return sealBytesWith(keys, kek, place, Buffer.from(JSON.stringify(value)));
}

export function openWith(find: FindKek, place: FieldPlace, stored: Buffer): unknown {
  return JSON.parse(openBytesWith(find, place, stored).toString('utf8')) as unknown;
}

function sealBytesWith(keys: TenantKeys, kek: Kek, place: FieldPlace, value: Buffer): Buffer {
  keys.wraps.take();
  return sealField(kek, place, value);
}

function openBytesWith(find: FindKek, place: FieldPlace, stored: Buffer): Buffer {
  return openField(find(kekIdOf(stored)), place, stored);
}

/** The same value, of the tenant's, under another key; undefined where it cannot be opened. */
export function rewrap(keys: TenantKeys, to: Kek, place: FieldPlace, stored: Buffer): Buffer | undefined {
  const from = keys.byId.get(kekOf(stored) ?? '');
  if (!from) return undefined;
  try {
    keys.wraps.take();
    return rewrapField(from, to, place, stored);
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
