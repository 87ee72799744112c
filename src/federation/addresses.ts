import { Injectable } from '@nestjs/common';
import { AuthConfig } from '../platform/config/index.js';
import { currentTenant } from '../platform/database/index.js';

/** Our addresses as a provider is told them: with ids, because names change. */
@Injectable()
export class Addresses {
  constructor(private readonly config: AuthConfig) {}

  get baseUrl(): string {
    return this.config.issuer;
  }

  /** Of a connection of the tenant in scope: `callback`, `acs`, `metadata`, `logout`, `backchannel-logout`, `start`. */
  of(connectionId: string, what: string): string {
    return `${this.baseUrl.replace(/\/$/, '')}/v1/sso/${currentTenant().id}/${connectionId}/${what}`;
  }
}
