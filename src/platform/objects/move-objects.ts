import { Injectable } from '@nestjs/common';
import type { TenantRef } from '../database/index.js';
import { TenantObjects } from './tenant-objects.js';

const PAGE = 500;

/** Objects of a tenant that moves. They are written once and never again, so that a key that is there has its content. */
@Injectable()
export class MoveObjects {
  constructor(private readonly objects: TenantObjects) {}

  /** Brings the target to the keys that the source has; answers how many that are. */
  async copy(from: TenantRef, to: TenantRef, signal: AbortSignal): Promise<number> {
    const there = keysOf(this.objects, to);
    let copied = await there.next();
    let count = 0;
    for await (const key of keysOf(this.objects, from)) {
      signal.throwIfAborted();
      while (!copied.done && copied.value < key) {
        await this.objects.delete(to, copied.value);
        copied = await there.next();
      }
      if (!copied.done && copied.value === key) copied = await there.next();
      else await this.#copyOne(from, to, key);
      count += 1;
    }
    for (; !copied.done; copied = await there.next()) await this.objects.delete(to, copied.value);
    return count;
  }

  /** Takes the objects out of a cell in which the tenant does not live. */
  async remove(tenant: TenantRef): Promise<void> {
    for await (const key of keysOf(this.objects, tenant)) await this.objects.delete(tenant, key);
  }

  async #copyOne(from: TenantRef, to: TenantRef, key: string): Promise<void> {
    const body = await this.objects.get(from, key);
    // Deleted since it was listed.
    if (!body) return;
    await this.objects.put(to, key, body);
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
