import { createHmac } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { TenantRef } from '../platform/database/index.js';
import { FieldUnreadable, kekIdOf, rewrapField, sealField, SUITE, type Kek } from './field-codec.js';
import type { FieldPlace } from './field-place.js';
import { HeldKeys, isHeld } from './held-keys.js';
import { KeyRing } from './key-ring.js';
import { Openers } from './openers.js';
import { SubjectKeys } from './subject-keys.js';
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
    private readonly openers: Openers,
    private readonly held: HeldKeys,
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
    return this.seal(tenant, keys, kek, { ...place, tenant: tenant.id }, Buffer.from(JSON.stringify(value)));
  }

  /** @throws {FieldUnreadable | PersonErased} */
  async openJson(tenant: TenantRef, place: Place, stored: Buffer): Promise<unknown> {
    return JSON.parse((await this.openBytes(tenant, place, stored)).toString('utf8')) as unknown;
  }

  /** As `sealJson`, for bytes as they are: what is too large to be written as JSON once more. */
  async sealBytes(tenant: TenantRef, place: Place, value: Buffer): Promise<Buffer> {
    const keys = await this.keys.of(tenant);
    return this.seal(tenant, keys, keys.current, { ...place, tenant: tenant.id }, value);
  }

  async openBytes(tenant: TenantRef, place: Place, stored: Buffer): Promise<Buffer> {
    const { table, column } = place;
    const open =
      this.openers.warm(tenant.id, [stored]) ??
      (await this.openers.of(tenant, [{ table, column, bytes: stored }]));
    return open({ ...place, tenant: tenant.id }, stored);
  }

  /** Seals under a key; where that is the tenant's and the customer holds it, under the KMS itself. */
  async seal(
    tenant: TenantRef,
    keys: TenantKeys,
    kek: Kek,
    place: FieldPlace,
    value: Buffer,
  ): Promise<Buffer> {
    if (keys.holds && kek === keys.current) return this.held.seal(tenant, keys, place, value);
    return sealUnder(keys, kek, place, value);
  }

  /**
   * The same value under another key; undefined where it cannot be opened. Its data key is wrapped anew, and the value is
   * not opened, unless the KMS itself wraps the one or the other.
   */
  async rewrapped(
    tenant: TenantRef,
    keys: TenantKeys,
    to: Kek,
    place: FieldPlace,
    stored: Buffer,
  ): Promise<Buffer | undefined> {
    try {
      if (!isHeld(stored) && !(keys.holds && to === keys.current)) return rewrap(keys, to, place, stored);
      const { table, column } = place;
      const open = await this.openers.of(tenant, [{ table, column, bytes: stored }]);
      const value = open(place, stored);
      const anew = await this.seal(tenant, keys, to, place, value);
      value.fill(0);
      return anew;
    } catch (error) {
      if (error instanceof FieldUnreadable) return undefined;
      throw error;
    }
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
}

/** Seals under a key of the tenant or of a person: each counts as a use of the tenant's, after which all are replaced. */
export function sealUnder(keys: TenantKeys, kek: Kek, place: FieldPlace, value: Buffer): Buffer {
  keys.wraps.take();
  return sealField(kek, place, value);
}

/** @throws {FieldUnreadable} */
function rewrap(keys: TenantKeys, to: Kek, place: FieldPlace, stored: Buffer): Buffer {
  const from = keys.byId.get(kekIdOf(stored));
  if (!from) throw new FieldUnreadable();
  keys.wraps.take();
  return rewrapField(from, to, place, stored);
}

/** Suite and key's id of what is sealed under the tenant's current key: the bytes 2 to 18 of a stored value. */
export function headerUnder({ holds, current }: TenantKeys): Buffer {
  return Buffer.concat([Buffer.of(holds ? SUITE.kms : SUITE.tenantKek), current.id]);
}

/** A blind index: equal values of one column give equal indexes, which tell nothing without the tenant's key. */
export function blindIndexWith({ key }: IndexKey, table: string, column: string, value: string): Buffer {
  return createHmac('sha256', key).update(`${table}\0${column}\0${value}`).digest();
}
