import { readFile, rm } from 'node:fs/promises';
import { isErrno } from './durable-file.js';
import { isLocked, ObjectStoreError, type ObjectLock, type PutOptions } from './object-key.js';

/** Ends the name of the file that says how an object is locked; no object's file ends like this. */
const LOCK_SUFFIX = 'lock';
const NO_LOCK: ObjectLock = { retainUntil: undefined, legalHold: false };

/** How the objects of a folder are locked: a small file beside each that is. */
export class FileLocks {
  constructor(
    private readonly fileOf: (key: string) => string,
    private readonly write: (file: string, content: Buffer) => Promise<void>,
  ) {}

  /** How an object is locked; one that is not there is not. */
  async of(key: string): Promise<ObjectLock> {
    let text: string;
    try {
      text = await readFile(this.#file(key), 'utf8');
    } catch (cause) {
      if (isErrno(cause, 'ENOENT')) return NO_LOCK;
      throw new ObjectStoreError('The lock of an object cannot be read', { cause });
    }
    const { retainUntil, legalHold } = JSON.parse(text) as { retainUntil?: string; legalHold?: boolean };
    return {
      retainUntil: retainUntil === undefined ? undefined : new Date(retainUntil),
      legalHold: legalHold === true,
    };
  }

  /** Makes the time longer; of no effect where it is as long already. */
  async extend(key: string, retainUntil: Date): Promise<void> {
    const lock = await this.of(key);
    if (lock.retainUntil && lock.retainUntil >= retainUntil) return;
    await this.#put(key, { ...lock, retainUntil });
  }

  async hold(key: string, legalHold: boolean): Promise<void> {
    await this.#put(key, { ...(await this.of(key)), legalHold });
  }

  /** Before the object itself: one that is to be locked is never there without. */
  async put(key: string, { retainUntil, legalHold = false }: PutOptions): Promise<void> {
    if (retainUntil === undefined && !legalHold) return;
    const former = await this.of(key);
    const longer = former.retainUntil && retainUntil && former.retainUntil > retainUntil;
    const until = longer ? former.retainUntil : (retainUntil ?? former.retainUntil);
    await this.#put(key, { retainUntil: until, legalHold: legalHold || former.legalHold });
  }

  /** For an object that is gone. */
  async forget(key: string): Promise<void> {
    if (!isLocked(await this.of(key))) await rm(this.#file(key), { force: true });
  }

  async #put(key: string, lock: ObjectLock): Promise<void> {
    await this.write(this.#file(key), Buffer.from(JSON.stringify(lock)));
  }

  #file(key: string): string {
    return `${this.fileOf(key)}${LOCK_SUFFIX}`;
  }
}
