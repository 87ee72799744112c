import { ApiProperty } from '@nestjs/swagger';
import { Type } from 'class-transformer';
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
  ValidateNested,
} from 'class-validator';
import { ROLES } from '../auth/index.js';
import { Optional } from '../platform/http/fields.js';
import {
  CONNECTION_STATES,
  CONNECTION_TYPES,
  PROVIDERS,
  type Provider,
  SECOND_FACTOR_TRUSTS,
  type SecondFactorTrust,
} from './connection.entity.js';
import { MAPPED_ROLES, type MappedRole } from './mapped-role.js';

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

export class MappingDto {
  @IsString()
  @Length(1, 500)
  email!: string;

  @IsString()
  @Length(1, 500)
  name!: string;

  @IsString()
  @Length(1, 500)
  groups!: string;
}

export class RoleRuleDto {
  /** The claim or attribute, such as `groups`. */
  @IsString()
  @Length(1, 500)
  claim!: string;

  /** A value that it must have, exactly. */
  @IsString()
  @Length(1, 500)
  value!: string;

  /** Nobody becomes an Owner by what a provider says: people make Owners. */
  @IsIn(MAPPED_ROLES)
  @ApiProperty({ enum: MAPPED_ROLES })
  role!: MappedRole;
}

export class RoleMappingDto {
  /** The first that fits says the role. */
  @IsArray()
  @ArrayMaxSize(100)
  @ValidateNested({ each: true })
  @Type(() => RoleRuleDto)
  rules!: RoleRuleDto[];

  @IsIn(MAPPED_ROLES)
  @ApiProperty({ enum: MAPPED_ROLES })
  defaultRole!: MappedRole;

  /** Whether the role is set anew with each sign-in, except an Owner's. */
  @IsBoolean()
  everySignIn!: boolean;
}

class ConnectionFieldsDto {
  @Optional()
  @ValidateNested()
  @Type(() => OidcFieldsDto)
  oidc?: OidcFieldsDto;

  @Optional()
  @ValidateNested()
  @Type(() => SamlFieldsDto)
  saml?: SamlFieldsDto;

  /** Which claim or attribute says what; as the guide of the provider says, if not given. */
  @Optional()
  @ValidateNested()
  @Type(() => MappingDto)
  mapping?: MappingDto;

  /** Everybody Viewer, if not given. */
  @Optional()
  @ValidateNested()
  @Type(() => RoleMappingDto)
  roles?: RoleMappingDto;

  /** Whether people who have no account get one, if their address is of a verified domain. No, if not given. */
  @Optional()
  @IsBoolean()
  provisioning?: boolean;

  /** `verified_email`: who has an account with the same address, of a verified domain, signs in to it. `none`: nobody does. */
  @Optional()
  @IsIn(['verified_email', 'none'])
  @ApiProperty({ enum: ['verified_email', 'none'], required: false })
  linking?: 'verified_email' | 'none';
}

export class CreateConnectionDto extends ConnectionFieldsDto {
  @IsString()
  @Length(1, 200)
  name!: string;

  @IsIn(CONNECTION_TYPES)
  @ApiProperty({ enum: CONNECTION_TYPES })
  type!: 'oidc' | 'saml';
}

export class UpdateConnectionDto extends ConnectionFieldsDto {
  @Optional()
  @IsString()
  @Length(1, 200)
  name?: string;

  /** `active`: people can sign in. `disabled`: nobody can, and sessions that came of it end. */
  @Optional()
  @IsIn(['active', 'disabled'])
  @ApiProperty({ enum: ['active', 'disabled'], required: false })
  state?: 'active' | 'disabled';
}

class ProviderSettingsDto {
  provider!: string;
  /** Absent: `claimed`. */
  @ApiProperty({ enum: SECOND_FACTOR_TRUSTS, required: false })
  secondFactor?: SecondFactorTrust;
}

export class OidcSettingsDto extends ProviderSettingsDto {
  issuer!: string;
  clientId!: string;
  scopes!: string[];
  hostedDomain?: string;
  entraTenantId?: string;
  trustsEmail!: boolean;
}

export class SamlCertificateDto {
  /** SHA-256 of the certificate. */
  fingerprint!: string;
  @ApiProperty({ format: 'date-time' })
  expiresAt!: string;
}

export class SamlSettingsDto extends ProviderSettingsDto {
  entityId!: string;
  signOnUrl!: string;
  logoutUrl?: string;
  certificates!: SamlCertificateDto[];
  metadataUrl?: string;
  idpInitiated!: boolean;
}

export class ConnectionDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;
  name!: string;
  @ApiProperty({ enum: CONNECTION_TYPES })
  type!: string;
  @ApiProperty({ enum: CONNECTION_STATES })
  state!: string;
  oidc?: OidcSettingsDto;
  saml?: SamlSettingsDto;
  mapping!: MappingDto;
  roles!: RoleMappingDto;
  /** Of whoever set it last: nobody with a higher role signs in through it. */
  @ApiProperty({ enum: ROLES })
  highestRole!: string;
  provisioning!: boolean;
  @ApiProperty({ enum: ['verified_email', 'none'] })
  linking!: string;
  /** Why the last sign-in that failed did; gone once one succeeds. */
  lastError?: string;
  @ApiProperty({ format: 'date-time', required: false })
  lastErrorAt?: string;
  version!: number;
  createdBy!: string;
  @ApiProperty({ format: 'date-time' })
  createdAt!: string;
  @ApiProperty({ format: 'date-time' })
  updatedAt!: string;
}

export class ConnectionListDto {
  items!: ConnectionDto[];
}
