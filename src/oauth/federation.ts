import { Injectable } from '@nestjs/common';
import { AuthConfig, ReceiversConfig } from '../platform/config/index.js';
import { InvalidRequest } from '../platform/http/errors.js';
import type { ClientFederation } from './client.entity.js';
import type { FederationFieldsDto } from './federation.dto.js';

/** Whose tokens a client proves itself by, where an issuer of its own vouches for it. */
@Injectable()
export class Federation {
  constructor(
    private readonly auth: AuthConfig,
    private readonly receivers: ReceiversConfig,
  ) {}

  /** As it is kept; each is compared with what a token says, character by character. @throws {InvalidRequest} */
  of({ issuer, subject, audience = this.auth.issuer }: FederationFieldsDto): ClientFederation {
    if (!this.isSafe(issuer)) throw fault('must begin with https://');
    if (/[?#*]/.test(issuer)) throw fault('must be one issuer, with no ?, no # and no *');
    return { issuer, subject, audience };
  }

  /** Whether what is read at an address can be believed to be of whoever it names. */
  isSafe(url: string): boolean {
    return url.startsWith('https://') || (this.receivers.plainHttp && url.startsWith('http://'));
  }
}

function fault(detail: string): InvalidRequest {
  return new InvalidRequest([{ pointer: '/federation/issuer', detail: `issuer ${detail}` }]);
}
