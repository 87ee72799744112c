import { Injectable } from '@nestjs/common';
import {
  FieldEncryption,
  FieldUnreadable,
  HeldKeyRefused,
  KeysDestroyed,
  PersonErased,
  type Place,
} from '../encryption/index.js';
import type { TenantRef } from '../platform/database/index.js';
import { CLIENT_PLACE, PERSONAL_PLACE, type EventBody } from './audit-event.js';

/** What an event says of a person, as far as it can be read. */
export interface Personal {
  readonly personal?: Record<string, unknown>;
  /** Some of it was of somebody who has been erased. */
  readonly erased?: true;
}

/** Opens what events carry encrypted: from where they were caused, and whom they concern. */
@Injectable()
export class PersonalParts {
  constructor(private readonly encryption: FieldEncryption) {}

  async of(
    tenant: TenantRef,
    { id, client, sealed }: Pick<EventBody, 'id' | 'client' | 'sealed'>,
  ): Promise<Personal> {
    const from = client && (await this.#opened(tenant, { ...CLIENT_PLACE, row: client.id }, client.sealed));
    const own = sealed && (await this.#opened(tenant, { ...PERSONAL_PLACE, row: id }, sealed));
    const erased = from === 'erased' || own === 'erased';
    const parts = [from, own].filter((part) => typeof part === 'object');
    return {
      ...(parts.length > 0 && { personal: Object.assign({}, ...parts) as Record<string, unknown> }),
      ...(erased && { erased }),
    };
  }

  /** The person whom the personal part concerns; undefined where nobody knew who it was. */
  async person(tenant: TenantRef, { sealed }: Pick<EventBody, 'sealed'>): Promise<string | undefined> {
    if (sealed === undefined) return undefined;
    try {
      return await this.encryption.personOf(tenant, Buffer.from(sealed, 'base64'));
    } catch (error) {
      if (error instanceof FieldUnreadable || error instanceof KeysDestroyed) return undefined;
      throw error;
    }
  }

  /** An event whose personal part cannot be read any more is still an event. */
  async #opened(
    tenant: TenantRef,
    place: Place,
    sealed: string,
  ): Promise<Record<string, unknown> | 'erased' | undefined> {
    try {
      return (await this.encryption.openJson(tenant, place, Buffer.from(sealed, 'base64'))) as Record<
        string,
        unknown
      >;
    } catch (error) {
      if (error instanceof PersonErased) return 'erased';
      // Refused of a single value: a key that was the customer's once, and is asked no more.
      const gone = [FieldUnreadable, KeysDestroyed, HeldKeyRefused].some((kind) => error instanceof kind);
      if (gone) return undefined;
      throw error;
    }
  }
}
