import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { SealedObjects } from '../encryption/index.js';
import type { TenantRef } from '../platform/database/index.js';

const FOLDER = 'audit-export';

/** A part of an export's content is not there, as of one that was written while its organisation moved. */
export class PartMissing extends Error {
  override readonly name = 'PartMissing';
}

/** The content of saved exports, in the tenant's object store, part by part, each sealed. */
@Injectable()
export class ExportParts {
  constructor(private readonly objects: SealedObjects) {}

  put(tenant: TenantRef, id: string, part: number, content: Buffer): Promise<void> {
    return this.objects.put(tenant, placeOf(id, part), content);
  }

  /** Part by part, one in memory. @throws {PartMissing} */
  async *read(tenant: TenantRef, id: string, parts: number): AsyncGenerator<Buffer> {
    for (let part = 1; part <= parts; part += 1) {
      const content = await this.objects.get(tenant, placeOf(id, part));
      if (!content) throw new PartMissing(`The export ${id} has no part ${part}.`);
      yield content;
    }
  }

  /** Length and digest of all parts together. @throws {PartMissing} */
  async digest(
    tenant: TenantRef,
    id: string,
    parts: number,
    signal: AbortSignal,
  ): Promise<{ readonly bytes: number; readonly sha256: Buffer }> {
    const digest = createHash('sha256');
    let bytes = 0;
    for await (const content of this.read(tenant, id, parts)) {
      signal.throwIfAborted();
      digest.update(content);
      bytes += content.length;
    }
    return { bytes, sha256: digest.digest() };
  }

  /** Whether the last part is there, and so all of them. */
  async complete(tenant: TenantRef, id: string, parts: number): Promise<boolean> {
    return parts === 0 || (await this.objects.get(tenant, placeOf(id, parts))) !== undefined;
  }

  discard(tenant: TenantRef, id: string, signal: AbortSignal): Promise<void> {
    return this.objects.discard(tenant, { folder: FOLDER, id }, signal);
  }
}

function placeOf(id: string, part: number) {
  return { folder: FOLDER, id, name: `part-${String(part).padStart(8, '0')}` };
}
