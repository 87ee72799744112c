import { ApiProperty } from '@nestjs/swagger';
import {
  ArrayMaxSize,
  ArrayNotEmpty,
  ArrayUnique,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsObject,
  IsString,
  Length,
  Max,
  Min,
} from 'class-validator';
import { SCOPES } from '../access/index.js';
import { AreNetworks, AreProjects, ROLES, type Role } from '../auth/index.js';
import { IsTimestamp, Nested, Optional, OptionalOrNull } from '../platform/http/fields.js';
import {
  CLIENT_AUTHENTICATIONS,
  CLIENT_STATES,
  type ClientAuthentication,
  type ClientState,
} from './client.entity.js';
import { FederationDto, FederationFieldsDto } from './federation.dto.js';

/** What of a client can be set when it is made, and changed later. */
class ClientFieldsDto {
  /** Public keys (RFC 7517) that verify assertions of `private_key_jwt`: RSA, EC or Ed25519, five at most. */
  @Optional()
  @IsArray()
  @ArrayNotEmpty()
  @ArrayMaxSize(5)
  @IsObject({ each: true })
  @ApiProperty({ type: 'array', items: { type: 'object', additionalProperties: true }, required: false })
  publicKeys?: object[];

  /** For `federated_token`: whose tokens prove the client, in the place of a secret. Given anew, all of it is replaced. */
  @Optional()
  @Nested(() => FederationFieldsDto)
  federation?: FederationFieldsDto;

  /** Minutes that an access token lives; 60 if not given. */
  @Optional()
  @IsInt()
  @Min(5)
  @Max(360)
  accessTokenMinutes?: number;

  /** Whether every token is bound to a key (RFC 9449); otherwise those are that were asked for with a proof. */
  @Optional()
  @IsBoolean()
  dpopBound?: boolean;
}

export class CreateClientDto extends ClientFieldsDto {
  /** What it is for, so that it can be told from others. */
  @IsString()
  @Length(1, 100)
  name!: string;

  /** Yours at most. */
  @IsIn(ROLES)
  @ApiProperty({ enum: ROLES })
  role!: Role;

  /** What it may do at most, `resource:read|write|admin`; `*` for every resource. */
  @IsArray()
  @ArrayNotEmpty()
  @ArrayMaxSize(50)
  @ArrayUnique()
  @IsIn(SCOPES, { each: true })
  @ApiProperty({ enum: SCOPES, isArray: true })
  scopes!: string[];

  /** How it proves who it is; `client_secret` if not given. */
  @Optional()
  @IsIn(CLIENT_AUTHENTICATIONS)
  @ApiProperty({ enum: CLIENT_AUTHENTICATIONS, required: false, default: 'client_secret' })
  authentication?: ClientAuthentication;

  /** RFC 3339; left out, the client works until it is disabled or deleted. */
  @Optional()
  @IsTimestamp()
  @ApiProperty({ format: 'date-time', required: false })
  expiresAt?: string;

  /** When its secret ends, RFC 3339; left out, it goes on until it is rotated. */
  @Optional()
  @IsTimestamp()
  @ApiProperty({ format: 'date-time', required: false })
  secretExpiresAt?: string;

  /** Addresses and blocks of them (CIDR) from which alone it may be used. Left out: from everywhere. */
  @Optional()
  @IsArray()
  @ArrayNotEmpty()
  @ArrayMaxSize(50)
  @ArrayUnique()
  @AreNetworks()
  @ApiProperty({ type: [String], required: false, example: ['203.0.113.0/24'] })
  allowedNetworks?: string[];

  /** The projects in which alone it may do anything, and nothing outside them. Left out: wherever its role may. */
  @Optional()
  @AreProjects()
  projects?: string[];
}

export class UpdateClientDto extends ClientFieldsDto {
  @Optional()
  @IsString()
  @Length(1, 100)
  name?: string;

  @Optional()
  @IsIn(ROLES)
  @ApiProperty({ enum: ROLES, required: false })
  role?: Role;

  @Optional()
  @IsArray()
  @ArrayNotEmpty()
  @ArrayMaxSize(50)
  @ArrayUnique()
  @IsIn(SCOPES, { each: true })
  @ApiProperty({ enum: SCOPES, isArray: true, required: false })
  scopes?: string[];

  /** `disabled` ends every token of the client at once, for good. */
  @Optional()
  @IsIn(CLIENT_STATES)
  @ApiProperty({ enum: CLIENT_STATES, required: false })
  status?: ClientState;

  /** RFC 3339; `null`: never. */
  @OptionalOrNull()
  @IsTimestamp()
  @ApiProperty({ type: 'string', format: 'date-time', nullable: true, required: false })
  expiresAt?: string | null;

  /** `null`: from everywhere. */
  @OptionalOrNull()
  @IsArray()
  @ArrayNotEmpty()
  @ArrayMaxSize(50)
  @ArrayUnique()
  @AreNetworks()
  @ApiProperty({ type: [String], nullable: true, required: false, example: ['203.0.113.0/24'] })
  allowedNetworks?: string[] | null;

  /** `null`: wherever its role may. */
  @OptionalOrNull()
  @AreProjects({ nullable: true })
  projects?: string[] | null;
}

export class RotateSecretDto {
  /** Seconds for which the former secret goes on; a day where nothing is said, a week at most. */
  @Optional()
  @IsInt()
  @Min(0)
  @Max(604_800)
  overlapSeconds?: number;

  /** When the new one ends, RFC 3339; left out, it goes on until it is rotated. */
  @Optional()
  @IsTimestamp()
  @ApiProperty({ format: 'date-time', required: false })
  expiresAt?: string;
}

export class ClientSecretDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;
  /** The first characters of it. */
  prefix!: string;
  @ApiProperty({ format: 'date-time' })
  createdAt!: string;
  @ApiProperty({ format: 'date-time', required: false })
  expiresAt?: string;
}

export class ClientDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;
  /** Its name towards OAuth. */
  clientId!: string;
  name!: string;
  @ApiProperty({ enum: ROLES })
  role!: string;
  /** Of whoever set it last: it never holds more. */
  @ApiProperty({ enum: ROLES })
  highestRole!: string;
  scopes!: string[];
  @ApiProperty({ enum: CLIENT_AUTHENTICATIONS })
  authentication!: string;
  @ApiProperty({ type: 'array', items: { type: 'object', additionalProperties: true }, required: false })
  publicKeys?: object[];
  federation?: FederationDto;
  /** Those that work now, the older first. */
  secrets!: ClientSecretDto[];
  @ApiProperty({ enum: CLIENT_STATES })
  status!: string;
  accessTokenMinutes!: number;
  dpopBound!: boolean;
  /** Absent: it may be used from everywhere. */
  allowedNetworks?: string[];
  /** Absent: it is not limited to some. */
  @ApiProperty({ type: [String], format: 'uuid', required: false })
  projects?: string[];
  @ApiProperty({ format: 'date-time', required: false })
  expiresAt?: string;
  /** To the minute. */
  @ApiProperty({ format: 'date-time', required: false })
  lastUsedAt?: string;
  version!: number;
  /** The id of the person, key or client that has made it. */
  createdBy!: string;
  @ApiProperty({ format: 'date-time' })
  createdAt!: string;
  @ApiProperty({ format: 'date-time' })
  updatedAt!: string;
}

export class CreatedClientDto extends ClientDto {
  /** The secret itself. It is shown this once and cannot be read again. Absent where it proves itself by something else. */
  clientSecret?: string;
}

export class ClientPageDto {
  items!: ClientDto[];
  /** Absent on the last page. */
  nextCursor?: string;
}
