import { ApiProperty } from '@nestjs/swagger';
import { ArrayMaxSize, IsArray, IsBoolean, IsIn, IsString, Length } from 'class-validator';
import { ROLES } from '../auth/index.js';
import { Nested, Optional } from '../platform/http/fields.js';
import {
  CONNECTION_STATES,
  CONNECTION_TYPES,
  SECOND_FACTOR_TRUSTS,
  type SecondFactorTrust,
} from './connection.entity.js';
import { OidcFieldsDto, SamlFieldsDto } from './connection-fields.dto.js';
import { MAPPED_ROLES, type MappedRole } from './mapped-role.js';

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
  @Nested(() => RoleRuleDto, { each: true })
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
  @Nested(() => OidcFieldsDto)
  oidc?: OidcFieldsDto;

  @Optional()
  @Nested(() => SamlFieldsDto)
  saml?: SamlFieldsDto;

  /** Which claim or attribute says what; as the guide of the provider says, if not given. */
  @Optional()
  @Nested(() => MappingDto)
  mapping?: MappingDto;

  /** Everybody Viewer, if not given. */
  @Optional()
  @Nested(() => RoleMappingDto)
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

  /** Verified domains whose people are sent to this connection from their address. None, if not given: people of domains that no connection names are sent to the oldest of those. */
  @Optional()
  @IsArray()
  @ArrayMaxSize(50)
  @IsString({ each: true })
  @Length(4, 253, { each: true })
  domains?: string[];
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
  domains!: string[];
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
