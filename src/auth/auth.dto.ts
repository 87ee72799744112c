import { ApiProperty } from '@nestjs/swagger';
import {
  ArrayMaxSize,
  ArrayNotEmpty,
  ArrayUnique,
  IsArray,
  IsEmail,
  IsIn,
  IsInt,
  IsString,
  Length,
  Max,
  MaxLength,
  Min,
} from 'class-validator';
import { SCOPES } from '../access/index.js';
import { AreProjects } from './are-projects.js';
import { AreNetworks } from './allowed-networks.js';
import { ROLES, USER_STATES, type Role } from './identity.entity.js';
import { IsPhone, IsTimestamp, Optional, OptionalOrNull } from '../platform/http/fields.js';

export class SignInDto {
  /** Address of the account, in the organisation that X-Tenant-Slug names. */
  @IsEmail()
  @MaxLength(254)
  email!: string;

  @IsString()
  @Length(1, 256)
  password!: string;
}

export class RefreshDto {
  /** The refresh token of the last sign-in or refresh. It works once. */
  @IsString()
  @Length(1, 200)
  refreshToken!: string;
}

export class TokensDto {
  /** For `Authorization: Bearer`; RS256, 15 minutes. */
  accessToken!: string;
  /** For POST /v1/auth/refresh; works once, within 7 days. */
  refreshToken!: string;
  /** Seconds until the access token expires. */
  expiresIn!: number;
  /** Of a sign-in after the days of grace: these tokens are good for setting up a second factor, and for nothing else before. */
  enrolmentOnly?: boolean;
}

export class MeUserDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;
  email!: string;
  displayName?: string;
  /** E.164. */
  phone?: string;
  @ApiProperty({ enum: ROLES })
  role!: string;
}

export class MeTenantDto {
  id!: string;
  slug!: string;
  name!: string;
  region!: string;
}

export class MeClientDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;
  @ApiProperty({ enum: ROLES })
  role!: string;
}

export class MeDto {
  /** What kind of credential this is. */
  @ApiProperty({ enum: ['user', 'api_key', 'client', 'support'] })
  type!: string;
  /** The person, or the person whose key it is. */
  user?: MeUserDto;
  /** The client, which acts for nobody but itself. */
  client?: MeClientDto;
  tenant!: MeTenantDto;
  /** For an API key or a client: what it is limited to. */
  scopes?: string[];
}

export class UpdateMeDto {
  /** `null` takes it away. */
  @OptionalOrNull()
  @IsString()
  @Length(1, 200)
  @ApiProperty({ type: 'string', nullable: true, required: false, minLength: 1, maxLength: 200 })
  displayName?: string | null;

  /** E.164, such as +4930901820; `null` takes it away. */
  @OptionalOrNull()
  @IsPhone()
  @ApiProperty({ type: 'string', nullable: true, required: false, example: '+4930901820' })
  phone?: string | null;
}

export class CreateUserDto {
  @IsEmail()
  @MaxLength(254)
  email!: string;

  /** At least 12 characters. */
  @IsString()
  @Length(12, 256)
  password!: string;

  @IsIn(ROLES)
  @ApiProperty({ enum: ROLES })
  role!: Role;

  @Optional()
  @IsString()
  @Length(1, 200)
  displayName?: string;

  /** E.164, such as +4930901820. */
  @Optional()
  @IsPhone()
  @ApiProperty({ type: 'string', required: false, example: '+4930901820' })
  phone?: string;
}

export class UpdateUserDto extends UpdateMeDto {
  @Optional()
  @IsIn(ROLES)
  @ApiProperty({ enum: ROLES, required: false })
  role?: Role;

  /** `disabled` ends every session and key of the person at once. */
  @Optional()
  @IsIn(['active', 'disabled'])
  @ApiProperty({ enum: ['active', 'disabled'], required: false })
  status?: 'active' | 'disabled';
}

export class UserDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;
  /** Absent, as the name and the number, of somebody who was erased. */
  email?: string;
  displayName?: string;
  /** E.164. */
  phone?: string;
  @ApiProperty({ enum: ROLES })
  role!: string;
  @ApiProperty({ enum: USER_STATES })
  status!: string;
  version!: number;
  @ApiProperty({ format: 'date-time' })
  createdAt!: string;
}

export class UserPageDto {
  items!: UserDto[];
  /** Absent on the last page. */
  nextCursor?: string;
}

export class CreateApiKeyDto {
  /** What it is for, so that it can be told from others. */
  @IsString()
  @Length(1, 100)
  name!: string;

  /** What it may do at most, `resource:read|write|admin`; `*` for every resource. */
  @IsArray()
  @ArrayNotEmpty()
  @ArrayMaxSize(50)
  @ArrayUnique()
  @IsIn(SCOPES, { each: true })
  @ApiProperty({ enum: SCOPES, isArray: true })
  scopes!: string[];

  /** RFC 3339; left out, the key works until it is revoked. */
  @Optional()
  @IsTimestamp()
  @ApiProperty({ format: 'date-time', required: false })
  expiresAt?: string;

  /** Addresses and blocks of them (CIDR) from which alone it may be used. Left out: from everywhere. */
  @Optional()
  @IsArray()
  @ArrayNotEmpty()
  @ArrayMaxSize(50)
  @ArrayUnique()
  @AreNetworks()
  @ApiProperty({ type: [String], required: false, example: ['203.0.113.0/24'] })
  allowedNetworks?: string[];

  /** The projects in which alone it may do anything, and nothing outside them. Left out: wherever its person may. */
  @Optional()
  @AreProjects()
  projects?: string[];

  /** The most requests a minute with it, beside what the organisation may send. */
  @Optional()
  @IsInt()
  @Min(1)
  @Max(1_000_000)
  requestsPerMinute?: number;
}

export class RotateApiKeyDto {
  /** Seconds for which the former key goes on; a day where nothing is said, a week at most. */
  @Optional()
  @IsInt()
  @Min(0)
  @Max(604_800)
  overlapSeconds?: number;
}

export class ApiKeyDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;
  name!: string;
  /** The first characters of the key. */
  prefix!: string;
  scopes!: string[];
  /** The person whose key it is. */
  @ApiProperty({ format: 'uuid' })
  userId!: string;
  @ApiProperty({ format: 'date-time' })
  createdAt!: string;
  @ApiProperty({ format: 'date-time', required: false })
  expiresAt?: string;
  @ApiProperty({ format: 'date-time', required: false })
  revokedAt?: string;
  /** To the minute. */
  @ApiProperty({ format: 'date-time', required: false })
  lastUsedAt?: string;
  /** Absent: it may be used from everywhere. */
  allowedNetworks?: string[];
  /** Absent: it is not limited to some. */
  @ApiProperty({ type: [String], format: 'uuid', required: false })
  projects?: string[];
  /** Absent: as many as the organisation may send. */
  requestsPerMinute?: number;
  /** The key that has taken its place. */
  @ApiProperty({ format: 'uuid', required: false })
  replacedBy?: string;
}

export class CreatedApiKeyDto extends ApiKeyDto {
  /** The key itself. It is shown this once and cannot be read again. */
  key!: string;
}

export class ApiKeyPageDto {
  items!: ApiKeyDto[];
  /** Absent on the last page. */
  nextCursor?: string;
}
