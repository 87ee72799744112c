import { hash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { SealedObjects } from '../encryption/index.js';
import type { TenantRef } from '../platform/database/index.js';

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

const FOLDER = 'export';

/** An export in the tenant's object store, part by part. Each is sealed with the tenant's keys, for its place alone. */
@Injectable()
export class ExportStore {
  constructor(private readonly objects: SealedObjects) {}

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

  discard(tenant: TenantRef, id: string, signal: AbortSignal): Promise<void> {
    return this.objects.discard(tenant, { folder: FOLDER, id }, signal);
  }

  async #put(tenant: TenantRef, id: string, name: string, content: Buffer): Promise<void> {
    await this.objects.put(tenant, { folder: FOLDER, id, name }, content);
  }

  async #get(tenant: TenantRef, id: string, name: string): Promise<Buffer> {
    const content = await this.objects.get(tenant, { folder: FOLDER, id, name });
    if (!content) throw new Error(`The export ${id} has no ${name}.`);
    return content;
  }
}

function partName(part: number): string {
  return `part-${String(part).padStart(8, '0')}`;
}
