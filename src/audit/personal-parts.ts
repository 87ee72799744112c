import { Injectable } from '@nestjs/common';
import { FieldEncryption, FieldUnreadable, KeysDestroyed, type Place } from '../encryption/index.js';
import type { TenantRef } from '../platform/database/index.js';
import { CLIENT_PLACE, PERSONAL_PLACE, type EventBody } from './audit-event.js';

/** Opens what events carry encrypted: from where they were caused, and whom they concern. */
@Injectable()
export class PersonalParts {
  constructor(private readonly encryption: FieldEncryption) {}

  async of(
    tenant: TenantRef,
    { id, client, sealed }: Pick<EventBody, 'id' | 'client' | 'sealed'>,
  ): Promise<Record<string, unknown> | undefined> {
    const from = client && (await this.#opened(tenant, { ...CLIENT_PLACE, row: client.id }, client.sealed));
    const own = sealed && (await this.#opened(tenant, { ...PERSONAL_PLACE, row: id }, sealed));
    return from || own ? { ...from, ...own } : undefined;
  }

  /** An event whose personal part cannot be read any more is still an event. */
  async #opened(
    tenant: TenantRef,
    place: Place,
    sealed: string,
  ): Promise<Record<string, unknown> | undefined> {
    try {
      return (await this.encryption.openJson(tenant, place, Buffer.from(sealed, 'base64'))) as Record<
        string,
        unknown
      >;
    } catch (error) {
      if (error instanceof FieldUnreadable || error instanceof KeysDestroyed) return undefined;
      throw error;
    }
  }
}
