import { Injectable } from '@nestjs/common';
import type { TenantRef } from '../platform/database/index.js';

/** What is to be done where somebody of a tenant is erased. Called twice: once before it is committed, once afterwards. */
export type ErasureFollower = (tenant: TenantRef) => Promise<void>;

/** Rooms that keep copies which name people say here how they are taken away, where no key of the person has sealed them. */
@Injectable()
export class ErasureFollowers {
  readonly #followers: ErasureFollower[] = [];

  follow(follower: ErasureFollower): void {
    this.#followers.push(follower);
  }

  async erased(tenant: TenantRef): Promise<void> {
    for (const follower of this.#followers) await follower(tenant);
  }
}
