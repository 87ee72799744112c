import { hash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { FieldEncryption } from '../encryption/index.js';
import type { TenantRef } from '../platform/database/index.js';
import { TenantObjects } from '../platform/objects/index.js';

export interface ExportPart {
  readonly part: number;
  /** What the lines are of: a table, or `audit`. */
  readonly of: string;
  readonly lines: number;
  readonly bytes: number;
  /** Of the opened part. */
  readonly sha256: string;
}

export interface ExportManifest {
  readonly export: string;
  readonly tenant: string;
  /** RFC 3339. */
  readonly at: string;
  /** Lines by what they are of. */
  readonly counts: Readonly<Record<string, number>>;
  readonly parts: readonly ExportPart[];
}

const LISTED = 500;

/** An export in the tenant's object store, part by part. Each is sealed with the tenant's keys, for its place alone. */
@Injectable()
export class ExportStore {
  constructor(
    private readonly objects: TenantObjects,
    private readonly encryption: FieldEncryption,
  ) {}

  /** Repeating it replaces the part. */
  async putPart(tenant: TenantRef, id: string, part: number, of: string, lines: string[]): Promise<void> {
    const content = Buffer.from(`${lines.join('\n')}\n`);
    const sha256 = hash('sha256', content, 'hex');
    const told: ExportPart = { part, of, lines: lines.length, bytes: content.length, sha256 };
    await this.#put(tenant, id, partName(part), content);
    await this.#put(tenant, id, `${partName(part)}.about`, Buffer.from(JSON.stringify(told)));
  }

  /** Ends the export: from now on it can be read. */
  async putManifest(tenant: TenantRef, id: string, parts: number): Promise<ExportManifest> {
    const told: ExportPart[] = [];
    const counts: Record<string, number> = {};
    for (let part = 1; part <= parts; part += 1) {
      const about = JSON.parse(
        (await this.#get(tenant, id, `${partName(part)}.about`)).toString(),
      ) as ExportPart;
      told.push(about);
      counts[about.of] = (counts[about.of] ?? 0) + about.lines;
    }
    const manifest = { export: id, tenant: tenant.id, at: new Date().toISOString(), counts, parts: told };
    await this.#put(tenant, id, 'manifest', Buffer.from(JSON.stringify(manifest)));
    return manifest;
  }

  /** The whole export, opened: a line with the manifest, then every part. */
  async *read(tenant: TenantRef, id: string): AsyncGenerator<Buffer> {
    const manifest = JSON.parse((await this.#get(tenant, id, 'manifest')).toString()) as ExportManifest;
    yield Buffer.from(`${JSON.stringify({ manifest })}\n`);
    for (const { part, sha256 } of manifest.parts) {
      const content = await this.#get(tenant, id, partName(part));
      if (hash('sha256', content, 'hex') !== sha256)
        throw new Error(`Part ${part} of export ${id} is another.`);
      yield content;
    }
  }

  async discard(tenant: TenantRef, id: string, signal: AbortSignal): Promise<void> {
    for (let after = `export/${id}/`, more = true; more;) {
      const keys = await this.objects.list(tenant, { after, limit: LISTED });
      const own = keys.filter((key) => key.startsWith(`export/${id}/`));
      for (const key of own) {
        signal.throwIfAborted();
        await this.objects.delete(tenant, key);
      }
      after = own.at(-1) ?? after;
      more = own.length === LISTED;
    }
  }

  async #put(tenant: TenantRef, id: string, name: string, content: Buffer): Promise<void> {
    const sealed = await this.encryption.sealBytes(tenant, placeOf(id, name), content);
    await this.objects.put(tenant, `export/${id}/${name}`, sealed);
  }

  async #get(tenant: TenantRef, id: string, name: string): Promise<Buffer> {
    const sealed = await this.objects.get(tenant, `export/${id}/${name}`);
    if (!sealed) throw new Error(`The export ${id} has no ${name}.`);
    return this.encryption.openBytes(tenant, placeOf(id, name), sealed);
  }
}

function partName(part: number): string {
  return `part-${String(part).padStart(8, '0')}`;
}

function placeOf(id: string, name: string) {
  return { table: 'export', column: name, row: id };
}
