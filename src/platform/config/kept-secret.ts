import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { writeOnce } from './write-once.js';

/** A random secret that a folder of the embedded mode keeps: made at the first start, the same ever after. */
export async function keepSecret(file: string): Promise<string> {
  await writeOnce(file, `${randomBytes(32).toString('base64url')}\n`);
  return (await readFile(file, 'utf8')).trim();
}
