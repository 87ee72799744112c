import { Injectable } from '@nestjs/common';
import type { JWTHeaderParameters } from 'jose';
import { KeysUnreadable, ProviderDocuments, PublishedKeys } from '../federation/index.js';
import { Federation } from './federation.js';
import { ClientRefused, IssuerUnreachable } from './oauth.errors.js';

const WELL_KNOWN = '/.well-known/openid-configuration';
const LONGEST_ADDRESS = 1_000;

/**
 * The keys of the issuers that clients are federated with. They are read where the issuer says, each time anew: where keys
 * have moved, they are found by the next look.
 */
@Injectable()
export class IssuerKeys {
  readonly #keys = new PublishedKeys(async (issuer) =>
    this.documents.keySet(
      jwksUri(issuer, await this.documents.metadata(documentOf(issuer)), this.federation),
    ),
  );

  constructor(
    private readonly documents: ProviderDocuments,
    private readonly federation: Federation,
  ) {}

  /** @throws {ClientRefused | IssuerUnreachable | errors.JOSEError} the last where there is no such key */
  find(issuer: string, header: JWTHeaderParameters): ReturnType<PublishedKeys['find']> {
    return this.#keys.find(issuer, header).catch((error: unknown) => {
      if (!(error instanceof KeysUnreadable)) throw error;
      // The address is another's, or nobody's: asking again does not help.
      if (error.cause instanceof ClientRefused) throw error.cause;
      throw new IssuerUnreachable({ cause: error });
    });
  }
}

/** OpenID Connect Discovery 1.0, section 4.1. */
function documentOf(issuer: string): string {
  return `${issuer.replace(/\/$/, '')}${WELL_KNOWN}`;
}

/** Section 4.3: a document that names another issuer is not this one's. @throws {ClientRefused} */
function jwksUri(
  issuer: string,
  { issuer: named, jwks_uri: url }: Readonly<Record<string, unknown>>,
  federation: Federation,
): string {
  const fits =
    named === issuer &&
    typeof url === 'string' &&
    url.length <= LONGEST_ADDRESS &&
    URL.canParse(url) &&
    federation.isSafe(url);
  if (!fits) throw new ClientRefused('CLIENT_ISSUER_UNFIT');
  return url;
}
