import { Injectable } from '@nestjs/common';
import { SCOPES } from '../access/index.js';
import { CALLERS_ALGORITHMS } from '../auth/index.js';
import { AuthConfig } from '../platform/config/index.js';
import { CLIENT_AUTHENTICATIONS } from './client.entity.js';
import type { ServerMetadataDto } from './oauth.dto.js';

/** A token of an issuer that vouches for a client comes as `private_key_jwt` does; there is no name of its own for it. */
const METHODS = ['client_secret_basic', 'client_secret_post', CLIENT_AUTHENTICATIONS[1]];

/** What the installation says of itself: RFC 8414. One issuer for all organisations, as their tokens say. */
@Injectable()
export class ServerMetadata {
  readonly document: ServerMetadataDto;

  constructor({ issuer }: AuthConfig) {
    const base = issuer.replace(/\/$/, '');
    this.document = {
      issuer,
      token_endpoint: `${base}/oauth/token`,
      revocation_endpoint: `${base}/oauth/revoke`,
      introspection_endpoint: `${base}/oauth/introspect`,
      jwks_uri: `${base}/.well-known/jwks.json`,
      grant_types_supported: ['client_credentials', 'refresh_token'],
      // There is no authorization endpoint: people sign in through their company.
      response_types_supported: [],
      scopes_supported: [...SCOPES],
      // Refresh tokens of people are of no client.
      token_endpoint_auth_methods_supported: [...METHODS, 'none'],
      token_endpoint_auth_signing_alg_values_supported: CALLERS_ALGORITHMS,
      revocation_endpoint_auth_methods_supported: [...METHODS, 'none'],
      revocation_endpoint_auth_signing_alg_values_supported: CALLERS_ALGORITHMS,
      introspection_endpoint_auth_methods_supported: METHODS,
      introspection_endpoint_auth_signing_alg_values_supported: CALLERS_ALGORITHMS,
      dpop_signing_alg_values_supported: CALLERS_ALGORITHMS,
    };
  }
}
