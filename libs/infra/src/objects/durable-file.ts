import { randomBytes } from 'node:crypto';
import { link, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Begins every temporary file's name; no object key and no file of ours may begin with it. */
export const TEMPORARY_PREFIX = '~';

/** Makes the names in a folder survive a power cut; a file's own fsync does not cover its name. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function writeTemporary(folder: string, content: Buffer | string, mode: number): Promise<string> {
  const temporary = join(folder, `${TEMPORARY_PREFIX}${randomBytes(12).toString('hex')}`);
  const handle = await open(temporary, 'wx', mode);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } catch (cause) {
    await rm(temporary, { force: true });
    throw cause;
  } finally {
    await handle.close();
  }
  return temporary;
}

/** Replaces a file: a reader, and a machine that loses power, sees the old content or the new, never a part. */
export async function replaceFile(path: string, content: Buffer | string): Promise<void> {
  await writeAside(dirname(path), content, async (temporary) => {
    await rename(temporary, path);
    await syncFolder(dirname(path));
  });
}

/** Writes what is durable, and under no name of its own yet, for `place` to rename; what fails leaves nothing. */
export async function writeAside(
  /** Where the temporary file goes; on the same file system. */
  folder: string,
  content: Buffer | string,
  place: (temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = await writeTemporary(folder, content, 0o600);
  try {
    await place(temporary);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw cause;
  }
}

/** Creates a file that must not exist yet. False when another process was first; its content then stands. */
export async function createFile(path: string, content: Buffer | string): Promise<boolean> {
  const temporary = await writeTemporary(dirname(path), content, 0o600);
  try {
    // rename would replace a file that another process has just created; link refuses.
    await link(temporary, path);
  } catch (cause) {
    if (isErrno(cause, 'EEXIST')) return false;
    throw cause;
  } finally {
    await rm(temporary, { force: true });
  }
  await syncFolder(dirname(path));
  return true;
}

export function isErrno(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}
