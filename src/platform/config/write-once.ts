import { link, open, unlink } from 'node:fs/promises';

/**
 * Writes a file that only its owner can read, unless it exists. Whole or not at all, whenever the process dies: it is
 * written under another name, made durable, and linked into place.
 */
export async function writeOnce(file: string, content: string): Promise<boolean> {
  const temporary = `${file}.${process.pid}.new`;
  await unlink(temporary).catch(() => undefined);
  const handle = await open(temporary, 'wx', 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  try {
    await link(temporary, file);
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === 'EEXIST') return false;
    throw error;
  } finally {
    await unlink(temporary);
  }
}
