import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { parseManifest, type Manifest } from './manifest.js';

const DATA = 'data.sealed';
const MANIFEST = 'manifest.json';
const ID = /^[0-9]{8}T[0-9]{6}Z-[a-z0-9-]+-[0-9a-f]{8}$/;

/** A name that sorts by time: `20260131T120000Z-us-east-1-c1-0a1b2c3d`. */
export function newBackupId(cell: string, now: Date): string {
  const time = now.toISOString().replaceAll(/[-:]|\.\d+/g, '');
  return `${time}-${cell}-${randomBytes(4).toString('hex')}`;
}

/** A folder with a backup in it: its data, and the manifest without which it is none. Only its owner can read it. */
export class BackupFolder {
  private constructor(readonly path: string) {}

  /** Makes the folder of a new backup. */
  static async create(parent: string, id: string): Promise<BackupFolder> {
    const path = join(parent, id);
    await mkdir(parent, { recursive: true, mode: 0o700 });
    await mkdir(path, { mode: 0o700 });
    await syncFolder(parent);
    return new BackupFolder(path);
  }

  static at(path: string): BackupFolder {
    return new BackupFolder(path);
  }

  /** Backups below a folder, whole or not: nothing else that is there is looked at. */
  static async below(parent: string): Promise<BackupFolder[]> {
    const names = await readdir(parent).catch(() => []);
    return names
      .filter((name) => ID.test(name))
      .toSorted()
      .map((name) => new BackupFolder(join(parent, name)));
  }

  get dataFile(): string {
    return join(this.path, DATA);
  }

  createData(): Promise<FileHandle> {
    return open(this.dataFile, 'wx', 0o600);
  }

  /** Undefined where there is none: the backup was not finished. @throws {BackupUnreadable} */
  async manifest(): Promise<Manifest | undefined> {
    const text = await readFile(join(this.path, MANIFEST), 'utf8').catch((error: unknown) => {
      if ((error as { code?: string }).code === 'ENOENT') return undefined;
      throw error;
    });
    return text === undefined ? undefined : parseManifest(text);
  }

  /** Whole or not at all, and only once what it speaks of is on the disk. */
  async finish(manifest: Manifest): Promise<void> {
    const temporary = join(this.path, `${MANIFEST}.new`);
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(`${JSON.stringify(manifest, undefined, 2)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, join(this.path, MANIFEST));
    await syncFolder(this.path);
  }

  /** When it was begun, where it has no manifest to say so. */
  async changedAt(): Promise<Date> {
    return (await stat(this.path)).mtime;
  }

  /** The manifest first: what is left of it, if the process ends here, is no backup. */
  async remove(): Promise<void> {
    await rm(join(this.path, MANIFEST), { force: true });
    await rm(this.path, { recursive: true, force: true });
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
