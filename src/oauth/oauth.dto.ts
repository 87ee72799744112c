import { ApiProperty } from '@nestjs/swagger';

/** RFC 6749 section 5.2. */
export class OAuthErrorDto {
  /** `invalid_client`, `invalid_request`, `invalid_grant`, `invalid_scope` and others, for programs. */
  error!: string;
  error_description!: string;
}

/** RFC 6749 section 5.1. */
export class TokenAnswerDto {
  access_token!: string;
  /** `DPoP` where the request had a proof of a key: whoever shows the token shows another (RFC 9449). */
  @ApiProperty({ enum: ['Bearer', 'DPoP'] })
  token_type!: string;
  /** Seconds until the access token expires. */
  expires_in!: number;
  /** What a client's token may do at most, separated by spaces. */
  scope?: string;
  /** For `refresh_token`: the next one. */
  refresh_token?: string;
}

/** RFC 7662 section 2.2. Only `active`, where it is false. */
export class IntrospectionDto {
  active!: boolean;
  iss?: string;
  /** The client's id, or the person's. */
  sub?: string;
  client_id?: string;
  scope?: string;
  @ApiProperty({ enum: ['Bearer', 'DPoP'], required: false })
  token_type?: string;
  exp?: number;
  jti?: string;
  /** RFC 9449: of the key that it is bound to. */
  cnf?: KeyConfirmationDto;
}

export class KeyConfirmationDto {
  jkt!: string;
}

/** What is sent to `/oauth/token`, as a form. Parameters that are not known are ignored, as RFC 6749 asks. */
export class TokenRequestDto {
  @ApiProperty({ enum: ['client_credentials', 'refresh_token'] })
  grant_type!: string;
  /** For `client_credentials`: fewer scopes than the client has, separated by spaces. */
  scope?: string;
  refresh_token?: string;
  client_id?: string;
  client_secret?: string;
  @ApiProperty({ enum: ['urn:ietf:params:oauth:client-assertion-type:jwt-bearer'], required: false })
  client_assertion_type?: string;
  /** RFC 7523: signed by the client, or by the issuer that vouches for it; then `client_id` says whom. */
  client_assertion?: string;
}

/** What is sent to `/oauth/revoke` and `/oauth/introspect`, as a form. */
export class TokenInQuestionDto {
  token!: string;
  @ApiProperty({ enum: ['access_token', 'refresh_token'], required: false })
  token_type_hint?: string;
  client_id?: string;
  client_secret?: string;
  client_assertion_type?: string;
  client_assertion?: string;
}

/** RFC 8414. */
export class ServerMetadataDto {
  issuer!: string;
  token_endpoint!: string;
  revocation_endpoint!: string;
  introspection_endpoint!: string;
  jwks_uri!: string;
  grant_types_supported!: string[];
  response_types_supported!: string[];
  scopes_supported!: string[];
  token_endpoint_auth_methods_supported!: string[];
  token_endpoint_auth_signing_alg_values_supported!: string[];
  revocation_endpoint_auth_methods_supported!: string[];
  revocation_endpoint_auth_signing_alg_values_supported!: string[];
  introspection_endpoint_auth_methods_supported!: string[];
  introspection_endpoint_auth_signing_alg_values_supported!: string[];
  dpop_signing_alg_values_supported!: string[];
}
