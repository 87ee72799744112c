import { Injectable } from '@nestjs/common';
import type { TenantRef } from '../platform/database/index.js';
import { TenantObjects } from '../platform/objects/index.js';
import { FieldEncryption } from './field-encryption.js';

/** Where an object is: what kind of thing it is a part of, which one, and the part's name. */
export interface ObjectPlace {
  readonly folder: string;
  readonly id: string;
  readonly name: string;
}

const LISTED = 500;

/** A tenant's objects that are sealed with its keys. Each is sealed for its place, and can be opened nowhere else. */
@Injectable()
export class SealedObjects {
  constructor(
    private readonly objects: TenantObjects,
    private readonly encryption: FieldEncryption,
  ) {}

  /** Repeating it replaces the object. */
  async put(tenant: TenantRef, place: ObjectPlace, content: Buffer): Promise<void> {
    const sealed = await this.encryption.sealBytes(tenant, fieldOf(place), content);
    await this.objects.put(tenant, keyOf(place), sealed);
  }

  async get(tenant: TenantRef, place: ObjectPlace): Promise<Buffer | undefined> {
    const sealed = await this.objects.get(tenant, keyOf(place));
    return sealed ? this.encryption.openBytes(tenant, fieldOf(place), sealed) : undefined;
  }

  /** Deletes all objects of one thing. */
  async discard(
    tenant: TenantRef,
    { folder, id }: Pick<ObjectPlace, 'folder' | 'id'>,
    signal: AbortSignal,
  ): Promise<void> {
    const prefix = `${folder}/${id}/`;
    for (let after = prefix, more = true; more;) {
      const keys = await this.objects.list(tenant, { after, limit: LISTED });
      const own = keys.filter((key) => key.startsWith(prefix));
      for (const key of own) {
        signal.throwIfAborted();
        await this.objects.delete(tenant, key);
      }
      after = own.at(-1) ?? after;
      more = own.length === LISTED;
    }
  }
}

function keyOf({ folder, id, name }: ObjectPlace): string {
  return `${folder}/${id}/${name}`;
}

function fieldOf({ folder, id, name }: ObjectPlace) {
  return { table: folder, column: name, row: id };
}
