import { createHash } from 'node:crypto';
import { readCell, type BackupPart, type Cell } from '../platform/database/index.js';
import { BackupFolder, newBackupId } from './backup-folder.js';
import { newKeys, type BackupKey, type BackupNames, type KeysOfBackup } from './backup-key.js';
import { bindingOf } from './binding.js';
import { authenticated, type Manifest } from './manifest.js';
import { frameOf } from './part-frames.js';
import { sealed } from './sealed-stream.js';

/** What a new backup says of itself before it counts as one. */
export type FinishedBackup = Omit<Manifest, 'mac'>;

/**
 * Makes a backup of a cell's database in a new folder below another. It is one only with its manifest, which comes last:
 * whatever ends this before leaves something that is not taken for a backup.
 *
 * @param onFinished is waited for before the manifest is written: what cannot be recorded does not come to be
 */
export async function writeBackup(
  cell: Cell,
  parent: string,
  key: BackupKey,
  onFinished: (backup: FinishedBackup) => Promise<void>,
): Promise<{ readonly folder: BackupFolder; readonly manifest: Manifest }> {
  const createdAt = new Date();
  const names = { id: newBackupId(cell.name, createdAt), cell: cell.name };
  const { keys, wrapped } = await newKeys(key, names);
  const folder = await BackupFolder.create(parent, names.id);
  try {
    const manifest = await filled(
      cell,
      folder,
      { ...names, createdAt, keys, wrapped, keyId: key.keyId },
      onFinished,
    );
    return { folder, manifest };
  } catch (error) {
    await folder.remove().catch(() => undefined);
    throw error;
  }
}

interface NewBackup extends BackupNames {
  readonly createdAt: Date;
  readonly keys: KeysOfBackup;
  readonly wrapped: Buffer;
  readonly keyId: string;
}

async function filled(
  cell: Cell,
  folder: BackupFolder,
  { id, createdAt, keys, wrapped, keyId }: NewBackup,
  onFinished: (backup: FinishedBackup) => Promise<void>,
): Promise<Manifest> {
  const names = { id, cell: cell.name };
  const counted = { tenants: 0, rows: 0 };
  const digest = createHash('sha256');
  let bytes = 0;
  const data = await folder.createData();
  try {
    for await (const chunk of sealed(keys.data, bindingOf(names, wrapped), framed(readCell(cell), counted))) {
      digest.update(chunk);
      bytes += chunk.length;
      await writeAll(data, chunk);
    }
    await data.sync();
  } finally {
    await data.close();
  }
  const finished: FinishedBackup = {
    format: 1,
    ...names,
    region: cell.region,
    createdAt: createdAt.toISOString(),
    keyId,
    wrappedKey: wrapped.toString('base64'),
    bytes,
    sha256: digest.digest('hex'),
    ...counted,
  };
  await onFinished(finished);
  const manifest = authenticated(finished, keys.manifest);
  await folder.finish(manifest);
  return manifest;
}

async function* framed(
  parts: AsyncIterable<BackupPart>,
  counted: { tenants: number; rows: number },
): AsyncGenerator<readonly Buffer[]> {
  for await (const part of parts) {
    if (part.kind === 'tenant') counted.tenants += 1;
    if (part.kind === 'end') counted.rows += part.rows;
    yield frameOf(part);
  }
}

/** A disk that is nearly full may take a part of it. */
async function writeAll(file: Awaited<ReturnType<BackupFolder['createData']>>, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; at += (await file.write(bytes, at)).bytesWritten);
}
