import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { BackupPart } from '../platform/database/index.js';
import type { BackupFolder } from './backup-folder.js';
import { keysOf, type BackupKey, type KeysOfBackup } from './backup-key.js';
import { bindingOf } from './binding.js';
import { requireAuthentic, type Manifest } from './manifest.js';
import { partsOf } from './part-frames.js';
import { BackupUnreadable, unsealed } from './sealed-stream.js';

/** A backup whose manifest is authentic. */
export class ReadableBackup {
  private constructor(
    private readonly folder: BackupFolder,
    readonly manifest: Manifest,
    private readonly keys: KeysOfBackup,
  ) {}

  /** @throws {BackupUnreadable} where it was not finished, or is not as it was written */
  static async open(folder: BackupFolder, kms: BackupKey['kms']): Promise<ReadableBackup> {
    const manifest = await folder.manifest();
    if (!manifest) throw new BackupUnreadable('it has no manifest, so it was never finished');
    const wrapped = Buffer.from(manifest.wrappedKey, 'base64');
    const keys = await keysOf(kms, manifest.keyId, manifest, wrapped);
    requireAuthentic(manifest, keys.manifest);
    return new ReadableBackup(folder, manifest, keys);
  }

  /** Reads all of it once, before anything is done with it. @throws {BackupUnreadable} */
  async verify(): Promise<void> {
    const { bytes, sha256, rows, tenants } = this.manifest;
    const digest = createHash('sha256');
    let size = 0;
    const file = this.#file((chunk) => {
      digest.update(chunk);
      size += chunk.length;
    });
    const found = { rows: 0, tenants: 0 };
    for await (const part of partsOf(this.#unsealed(file))) {
      if (part.kind === 'tenant') found.tenants += 1;
      if (part.kind === 'end') found.rows += part.rows;
    }
    if (size !== bytes || digest.digest('hex') !== sha256 || found.rows !== rows || found.tenants !== tenants)
      throw new BackupUnreadable('its data are not those of its manifest');
  }

  parts(): AsyncIterable<BackupPart> {
    return partsOf(this.#unsealed(this.#file()));
  }

  #unsealed(file: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
    const wrapped = Buffer.from(this.manifest.wrappedKey, 'base64');
    return unsealed(this.keys.data, bindingOf(this.manifest, wrapped), file);
  }

  async *#file(onChunk: (chunk: Buffer) => void = () => undefined): AsyncGenerator<Buffer> {
    for await (const chunk of createReadStream(this.folder.dataFile, { highWaterMark: 2 ** 20 })) {
      onChunk(chunk as Buffer);
      yield chunk as Buffer;
    }
  }
}
