import { Injectable } from '@nestjs/common';
import type { TenantRef } from '../database/index.js';
import { RetainedObjects } from './retained-objects.js';
import { TenantObjects } from './tenant-objects.js';

const PAGE = 500;

/** Objects of a tenant that moves. They are written once and never again, so that a key that is there has its content. */
@Injectable()
export class MoveObjects {
  constructor(
    private readonly objects: TenantObjects,
    private readonly retained: RetainedObjects,
  ) {}

  /** Brings the target to the keys that the source has; answers how many that are. */
  async copy(from: TenantRef, to: TenantRef, signal: AbortSignal): Promise<number> {
    const there = keysOf(this.objects, to);
    let copied = await there.next();
    let count = 0;
    for await (const key of keysOf(this.objects, from)) {
      signal.throwIfAborted();
      while (!copied.done && copied.value < key) {
        await this.retained.deleteOrNote(to, copied.value);
        copied = await there.next();
      }
      if (!copied.done && copied.value === key) copied = await there.next();
      else await this.#copyOne(from, to, key);
      count += 1;
    }
    for (; !copied.done; copied = await there.next()) await this.retained.deleteOrNote(to, copied.value);
    return count;
  }

  /** Takes the objects out of a cell in which the tenant does not live. Those that are locked go when their time is over. */
  async remove(tenant: TenantRef): Promise<void> {
    for await (const key of keysOf(this.objects, tenant)) {
      // What is held is held where the tenant lives: this is a copy.
      if ((await this.objects.lock(tenant, key))?.legalHold) await this.objects.hold(tenant, key, false);
      await this.retained.deleteOrNote(tenant, key);
    }
  }

  async #copyOne(from: TenantRef, to: TenantRef, key: string): Promise<void> {
    const body = await this.objects.get(from, key);
    // Deleted since it was listed.
    if (!body) return;
    const { retainUntil, legalHold = false } = (await this.objects.lock(from, key)) ?? {};
    const ahead = retainUntil !== undefined && retainUntil.getTime() > Date.now();
    const locked = this.objects.canLock(to) && (ahead || legalHold);
    await this.objects.put(to, key, body, locked ? { legalHold, ...(ahead && { retainUntil }) } : {});
    const stored = await this.objects.get(to, key);
    if (!stored?.equals(body)) throw new Error('An object is not the same where it was copied to.');
  }
}

/** All keys, in the order of their bytes, page by page. */
async function* keysOf(objects: TenantObjects, tenant: TenantRef): AsyncGenerator<string, undefined> {
  for (let after: string | undefined; ;) {
    const page = await objects.list(tenant, { ...(after !== undefined && { after }), limit: PAGE });
    yield* page;
    if (page.length < PAGE) return undefined;
    after = page.at(-1);
  }
}
