import { Injectable } from '@nestjs/common';
import { ProviderDocuments, ProviderUnreachable } from '../federation/index.js';
import { ReceiversConfig } from '../platform/config/index.js';
import { InvalidRequest } from '../platform/http/errors.js';

const WELL_KNOWN = '/.well-known/ssf-configuration';

/** Where a transmitter publishes its keys: as an administrator says, or as it says itself. */
@Injectable()
export class DiscoverTransmitter {
  constructor(
    private readonly documents: ProviderDocuments,
    private readonly config: ReceiversConfig,
  ) {}

  /** @throws {InvalidRequest | ProviderUnreachable} */
  async jwksUri(issuer: string, given: string | undefined): Promise<string> {
    this.#requireSafe('issuer', issuer);
    if (/[?#]/.test(issuer)) throw fault('issuer', 'must have no ? and no #');
    if (given !== undefined) {
      this.#requireSafe('jwksUri', given);
      return given;
    }
    const published = await this.#published(issuer);
    if (published['issuer'] !== issuer)
      throw new ProviderUnreachable('The transmitter names another issuer than you did.');
    const { jwks_uri: found } = published;
    if (typeof found !== 'string' || found.length > 1_000 || !URL.canParse(found) || !this.#isSafe(found))
      throw new ProviderUnreachable(
        'The transmitter publishes no jwks_uri that begins with https://. Name it yourself.',
      );
    return found;
  }

  /** Shared Signals Framework 1.0, section 7.2: what is known stands between the host and the path. */
  #published(issuer: string): Promise<Readonly<Record<string, unknown>>> {
    const { origin, pathname } = new URL(issuer);
    return this.documents.metadata(`${origin}${WELL_KNOWN}${pathname === '/' ? '' : pathname}`);
  }

  #requireSafe(field: string, url: string): void {
    if (!this.#isSafe(url)) throw fault(field, 'must begin with https://');
  }

  #isSafe(url: string): boolean {
    return url.startsWith('https:') || (this.config.plainHttp && url.startsWith('http:'));
  }
}

function fault(field: string, detail: string): InvalidRequest {
  return new InvalidRequest([{ pointer: `/${field}`, detail: `${field} ${detail}` }]);
}
