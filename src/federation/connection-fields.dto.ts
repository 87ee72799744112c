import { ApiProperty } from '@nestjs/swagger';
import {
  ArrayMaxSize,
  ArrayNotEmpty,
  IsArray,
  IsBoolean,
  IsIn,
  IsString,
  IsUrl,
  Length,
  Matches,
  MaxLength,
} from 'class-validator';
import { Optional } from '../platform/http/fields.js';
import {
  PROVIDERS,
  type Provider,
  SECOND_FACTOR_TRUSTS,
  type SecondFactorTrust,
} from './connection.entity.js';

const URL_OPTIONS = {
  protocols: ['http', 'https'],
  require_protocol: true,
  require_tld: false,
  disallow_auth: true,
};

class ProviderFieldsDto {
  @Optional()
  @IsIn(PROVIDERS)
  @ApiProperty({ enum: PROVIDERS, required: false, default: 'generic' })
  provider?: Provider;

  /** Whether a sign-in there counts as one with a second factor: `claimed`, where the provider says so, if not given; `always`; `never`. */
  @Optional()
  @IsIn(SECOND_FACTOR_TRUSTS)
  @ApiProperty({ enum: SECOND_FACTOR_TRUSTS, required: false, default: 'claimed' })
  secondFactor?: SecondFactorTrust;
}

export class OidcFieldsDto extends ProviderFieldsDto {
  /** As the provider's discovery document says it, exactly. Entra ID: with your directory's id, not `common`. */
  @Optional()
  @IsUrl(URL_OPTIONS)
  @MaxLength(1_000)
  issuer?: string;

  @Optional()
  @IsString()
  @Length(1, 500)
  clientId?: string;

  /** Never answered. */
  @Optional()
  @IsString()
  @Length(1, 2_000)
  clientSecret?: string;

  /** Beyond `openid`; `email` and `profile` if not given. */
  @Optional()
  @IsArray()
  @ArrayMaxSize(20)
  @Matches(/^[\x21\x23-\x5b\x5d-\x7e]{1,200}$/, { each: true })
  scopes?: string[];

  /** Google: the Workspace domain that accounts must be of. */
  @Optional()
  @IsString()
  @Length(4, 253)
  hostedDomain?: string;

  /** Entra ID: the directory that accounts must be of. */
  @Optional()
  @Matches(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
  entraTenantId?: string;

  /** The provider checks addresses itself but does not say so in `email_verified`, as Entra ID. Counts for verified domains only. */
  @Optional()
  @IsBoolean()
  trustsEmail?: boolean;
}

export class SamlFieldsDto extends ProviderFieldsDto {
  /** Where the provider publishes its metadata: read now, and again every hour. */
  @Optional()
  @IsUrl(URL_OPTIONS)
  @MaxLength(1_000)
  metadataUrl?: string;

  /** The provider's metadata itself, where it is not published. */
  @Optional()
  @IsString()
  @Length(1, 262_144)
  metadataXml?: string;

  /** Without metadata: the provider's entity id. */
  @Optional()
  @IsString()
  @Length(1, 1_000)
  entityId?: string;

  /** Without metadata: where it takes requests (HTTP-Redirect). */
  @Optional()
  @IsUrl(URL_OPTIONS)
  @MaxLength(1_000)
  signOnUrl?: string;

  @Optional()
  @IsUrl(URL_OPTIONS)
  @MaxLength(1_000)
  logoutUrl?: string;

  /** Without metadata: PEM of the certificates that it signs with. */
  @Optional()
  @IsArray()
  @ArrayNotEmpty()
  @ArrayMaxSize(10)
  @IsString({ each: true })
  @MaxLength(10_000, { each: true })
  certificates?: string[];

  /** Whether sign-ins that begin at the provider are taken: nothing ties them to a browser that asked for one. No, if not given. */
  @Optional()
  @IsBoolean()
  idpInitiated?: boolean;
}
