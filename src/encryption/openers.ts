import { Injectable } from '@nestjs/common';
import type { TenantRef } from '../platform/database/index.js';
import { FieldUnreadable, kekIdOf, openField, openUnderKms, wrappedByKms } from './field-codec.js';
import type { FieldPlace } from './field-place.js';
import { HeldKeys, isHeld, type StoredValue } from './held-keys.js';
import { KeyRing } from './key-ring.js';
import { SubjectKeys } from './subject-keys.js';

/** Opens one of the values that it was made for. @throws {FieldUnreadable | PersonErased} */
export type Open = (place: FieldPlace, stored: Buffer) => Buffer;

const NONE: ReadonlyMap<string, Buffer> = new Map();

/** What opens stored values, whosever key sealed them: the tenant's, a person's, or one that the KMS has to open itself. */
@Injectable()
export class Openers {
  constructor(
    private readonly keys: KeyRing,
    private readonly subjects: SubjectKeys,
    private readonly held: HeldKeys,
  ) {}

  /** Undefined where something has to be asked for. */
  warm(tenant: string, stored: readonly Buffer[]): Open | undefined {
    const keys = this.keys.warm(tenant);
    if (!keys || stored.some(isHeld)) return undefined;
    const find = this.subjects.openingWarm(keys, tenant, idsOf(stored));
    return find && ((place, value) => openField(find(kekIdOf(value)), place, value));
  }

  async of(tenant: TenantRef, stored: readonly StoredValue[]): Promise<Open> {
    const find = await this.subjects.opening(tenant, idsOf(stored.map(({ bytes }) => bytes)));
    const held = stored.filter(({ bytes }) => isHeld(bytes));
    const deks = held.length === 0 ? NONE : await this.held.open(tenant, await this.keys.of(tenant), held);
    return (place, value) => {
      if (!isHeld(value)) return openField(find(kekIdOf(value)), place, value);
      const dek = deks.get(wrappedByKms(value).toString('hex'));
      if (!dek) throw new FieldUnreadable();
      return openUnderKms(dek, place, value);
    };
  }
}

/** What is damaged names no key, and says so when it is opened. */
function idsOf(stored: readonly Buffer[]): string[] {
  return stored.flatMap((value) => {
    try {
      return [kekIdOf(value)];
    } catch {
      return [];
    }
  });
}
