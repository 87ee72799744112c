import { Injectable } from '@nestjs/common';
import { AuthConfig } from '../../platform/config/index.js';
import { currentTenant } from '../../platform/database/index.js';

/** What security keys know us as: the host of the public base URL, and pages of that origin alone. */
@Injectable()
export class RelyingParty {
  readonly name = 'Waxell';
  readonly id: string;
  readonly origin: string;

  constructor({ issuer }: AuthConfig) {
    const url = new URL(issuer);
    this.id = url.hostname;
    this.origin = url.origin;
  }
}

/**
 * What a security key keeps of whose a credential is: organisation and person, by ids that say nothing of either. Keys
 * hold credentials by it: of two organisations of one person each has its own.
 */
export function userHandle(userId: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(currentTenant().id.slice(2) + userId.replaceAll('-', ''), 'hex'));
}
