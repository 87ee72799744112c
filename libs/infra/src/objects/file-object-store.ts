import type { Dirent } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { isErrno, syncFolder, TEMPORARY_PREFIX, writeAside } from './durable-file.js';
import { FileLocks } from './file-locks.js';
import type { ObjectEnvelope } from './object-envelope.js';
import {
  isLocked,
  ObjectLocked,
  ObjectStoreError,
  requireObjectKey,
  requireObjectPrefix,
  type ListOptions,
  type PutOptions,
} from './object-key.js';

/** Ends an object's file name, so that `a` and `a/b` can both exist; no key contains it. */
const OBJECT_SUFFIX = '~';
const SIZE_PAGE = 1_000;
const PLACE_TRIES = 100;
const ABANDONED_MS = 3_600_000;

/** Objects as files below one folder, for a single machine. */
export class FileObjectStore {
  readonly #dir: string;
  readonly #temporary: string;
  /** Kept by this program: whoever may write to the folder can take the files away all the same. */
  readonly locks: FileLocks;
  readonly #envelope: ObjectEnvelope | undefined;
  #prepared: Promise<void> | undefined;

  /** With an envelope every object is sealed in its file. */
  constructor(options: { readonly dir: string; readonly envelope?: ObjectEnvelope }) {
    this.#dir = resolve(options.dir);
    this.#envelope = options.envelope;
    this.#temporary = join(this.#dir, `${TEMPORARY_PREFIX}temporary`);
    this.locks = new FileLocks(
      (key) => this.#file(key),
      async (file, content) => {
        await (this.#prepared ??= this.#prepare());
        await this.#write(file, content);
      },
    );
  }

  /** Durable when it resolves; readers see the former object or this one. The content type is not kept. */
  async put(key: string, body: Buffer, options: PutOptions = {}): Promise<void> {
    const file = this.#file(key);
    await this.#requireSame(key, body);
    try {
      await (this.#prepared ??= this.#prepare());
      await this.locks.put(key, options);
      await this.#write(file, this.#envelope ? await this.#envelope.seal(key, body) : body);
    } catch (cause) {
      this.#prepared = undefined;
      throw new ObjectStoreError('The object was not stored', { cause });
    }
  }

  /** There are no versions here: what is locked is not written over with something else, nor what cannot be read with anything. */
  async #requireSame(key: string, body: Buffer): Promise<void> {
    const lock = await this.locks.of(key);
    if (!isLocked(lock)) return;
    const stored = await this.get(key);
    if (stored && !stored.equals(body)) throw new ObjectLocked(lock);
  }

  #write(file: string, body: Buffer): Promise<void> {
    return writeAside(this.#temporary, body, (temporary) => placeIn(dirname(file), temporary, file));
  }

  async get(key: string): Promise<Buffer | null> {
    const file = this.#file(key);
    try {
      return await this.#read(key, file);
    } catch (cause) {
      if (isErrno(cause, 'ENOENT')) return null;
      if (cause instanceof ObjectStoreError) throw cause;
      throw new ObjectStoreError('The object cannot be read', { cause });
    }
  }

  async #read(key: string, file: string): Promise<Buffer> {
    const stored = await readFile(file);
    return this.#envelope ? this.#envelope.open(key, stored) : stored;
  }

  /** Keys in the order of their bytes, as S3 lists them. */
  async list(prefix: string, options: ListOptions): Promise<string[]> {
    requireObjectPrefix(prefix);
    const found: string[] = [];
    try {
      await this.#collect('', prefix, options, found);
    } catch (cause) {
      throw new ObjectStoreError('The objects cannot be listed', { cause });
    }
    return found;
  }

  /** Bytes of all objects whose keys begin so, as they are stored. */
  async size(prefix: string): Promise<number> {
    let bytes = 0;
    for (let after: string | undefined, more = true; more;) {
      const keys = await this.list(prefix, { ...(after !== undefined && { after }), limit: SIZE_PAGE });
      // One that is deleted meanwhile has no size.
      for (const key of keys) bytes += (await stat(this.#file(key)).catch(() => ({ size: 0 }))).size;
      after = keys.at(-1);
      more = keys.length === SIZE_PAGE;
    }
    return bytes;
  }

  /** Also resolves when there is none. */
  async delete(key: string): Promise<void> {
    const file = this.#file(key);
    const lock = await this.locks.of(key);
    if (isLocked(lock)) throw new ObjectLocked(lock);
    try {
      await this.locks.forget(key);
      await rm(file);
      await this.#tidy(dirname(file));
    } catch (cause) {
      if (isErrno(cause, 'ENOENT')) return;
      throw new ObjectStoreError('The object was not deleted', { cause });
    }
  }

  /** Takes folders away that hold nothing any more: their names say whose objects there were. */
  async #tidy(folder: string): Promise<void> {
    let left = folder;
    while (left !== this.#dir && (await emptied(left))) left = dirname(left);
    await syncFolder(left);
  }

  #file(key: string): string {
    requireObjectKey(key);
    return `${join(this.#dir, key)}${OBJECT_SUFFIX}`;
  }

  async #prepare(): Promise<void> {
    await createFolder(this.#temporary);
    // What a process that was killed while it wrote has left behind.
    for (const name of await readdir(this.#temporary)) {
      const file = join(this.#temporary, name);
      const found = await stat(file).catch(() => null);
      if (found && found.mtimeMs < Date.now() - ABANDONED_MS) await rm(file, { force: true });
    }
  }

  /** Walks in key order and enters only folders that can hold wanted keys. `parent` is '' or ends with '/'. */
  async #collect(parent: string, prefix: string, options: ListOptions, found: string[]): Promise<void> {
    for (const key of await this.#children(parent)) {
      if (found.length >= options.limit) return;
      if (key.endsWith('/')) {
        const related = key.startsWith(prefix) || prefix.startsWith(key);
        const passed = options.after !== undefined && options.after > key && !options.after.startsWith(key);
        if (related && !passed) await this.#collect(key, prefix, options, found);
      } else if (key.startsWith(prefix) && (options.after === undefined || key > options.after)) {
        found.push(key);
      }
    }
  }

  /** Keys directly below, and folders (with '/' at the end), in key order. */
  async #children(parent: string): Promise<string[]> {
    let entries: Dirent[];
    try {
      entries = await readdir(join(this.#dir, parent), { withFileTypes: true });
    } catch (cause) {
      if (isErrno(cause, 'ENOENT')) return [];
      throw cause;
    }
    const keys = entries.flatMap((entry) => {
      if (entry.name.startsWith(TEMPORARY_PREFIX)) return [];
      if (entry.isDirectory()) return [`${parent}${entry.name}/`];
      return entry.name.endsWith(OBJECT_SUFFIX) ? [`${parent}${entry.name.slice(0, -1)}`] : [];
    });
    return keys.sort();
  }
}

/** Whether the folder is gone, because it was empty. */
async function emptied(folder: string): Promise<boolean> {
  try {
    await rmdir(folder);
    return true;
  } catch (cause) {
    if (isErrno(cause, 'ENOENT')) return true;
    // Linux and macOS name it differently.
    if (isErrno(cause, 'ENOTEMPTY') || isErrno(cause, 'EEXIST')) return false;
    throw cause;
  }
}

/**
 * Renames a file into a folder that may vanish with its last object, of this process or another, just when it is to go there:
 * nothing slow is between the two calls, so that few tries are lost.
 */
async function placeIn(folder: string, temporary: string, file: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      const first = await mkdir(folder, { recursive: true, mode: 0o700 });
      await rename(temporary, file);
      return await syncFolders(folder, first);
    } catch (cause) {
      // ENOTDIR is what Node makes of a folder that vanishes while it makes one below it.
      if (!isErrno(cause, 'ENOENT', 'ENOTDIR') || tries === PLACE_TRIES) throw cause;
    }
  }
}

/** Makes the names in a folder, its own, and those of new ones above it survive a power cut. */
async function syncFolders(folder: string, first: string | undefined): Promise<void> {
  try {
    await syncFolder(folder);
    if (first === undefined) return;
    for (let made = folder; made.length >= first.length; made = dirname(made))
      await syncFolder(dirname(made));
  } catch (cause) {
    // It went with what was put there, which somebody deleted in the meantime.
    if (!isErrno(cause, 'ENOENT')) throw cause;
  }
}

/** Creates a folder and makes its name, and those of new ones above it, survive a power cut. */
async function createFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (first !== undefined) await syncFolders(folder, first);
}
