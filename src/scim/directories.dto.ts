import { ApiProperty } from '@nestjs/swagger';
import { IsBoolean, IsIn, IsInt, IsString, Length, Max, Min } from 'class-validator';
import { ROLES } from '../auth/index.js';
import { Nested, Optional, OptionalOrNull } from '../platform/http/fields.js';
import { PageQuery } from '../platform/http/pagination.js';
import { IsUUID } from 'class-validator';
import { DIRECTORY_KINDS, type DirectoryKind } from './directory-row.js';

const PROVIDED_ROLES = ['Admin', 'Developer', 'Viewer', 'Member'] as const;
type ProvidedRole = (typeof PROVIDED_ROLES)[number];
const CONFLICTS = ['adopt', 'refuse'] as const;

/** Which attribute of SCIM says what, as a path: `emails[type eq "home"].value`. */
export class DirectoryMappingDto {
  /** The primary address if not given, else that of work, else the first, else `userName` where it is an address. */
  @Optional()
  @IsString()
  @Length(1, 200)
  email?: string;

  /** `displayName` if not given, else `name.formatted`, else given and family name. */
  @Optional()
  @IsString()
  @Length(1, 200)
  displayName?: string;

  /** The primary number if not given, else the first; taken where it is in the international form. */
  @Optional()
  @IsString()
  @Length(1, 200)
  phone?: string;
}

class DirectoryFieldsDto {
  /** What people get whom it adds: at most your own role. `Member` has what its groups are granted, and nothing else. */
  @Optional()
  @IsIn(PROVIDED_ROLES)
  @ApiProperty({ enum: PROVIDED_ROLES, required: false, default: 'Viewer' })
  defaultRole?: ProvidedRole;

  /**
   * What becomes of somebody whom it adds and who is here already. `adopt`: it takes the person over, where the address is
   * of a verified domain. `refuse`: it is told that the address is taken.
   */
  @Optional()
  @IsIn(CONFLICTS)
  @ApiProperty({ enum: CONFLICTS, required: false, default: 'adopt' })
  conflicts?: 'adopt' | 'refuse';

  /**
   * The `id` of a client of OAuth (`/v1/oauth-clients`) whose access tokens are the directory's from then on, within the
   * client's role and scopes; they are good for nothing else. `null`: none.
   */
  @OptionalOrNull()
  @IsUUID()
  @ApiProperty({ format: 'uuid', nullable: true, required: false, type: String })
  oauthClientId?: string | null;

  @Optional()
  @Nested(() => DirectoryMappingDto)
  mapping?: DirectoryMappingDto;
}

export class CreateDirectoryDto extends DirectoryFieldsDto {
  @IsString()
  @Length(1, 200)
  name!: string;

  @IsIn(DIRECTORY_KINDS)
  @ApiProperty({ enum: DIRECTORY_KINDS })
  kind!: DirectoryKind;
}

export class UpdateDirectoryDto extends DirectoryFieldsDto {
  @Optional()
  @IsString()
  @Length(1, 200)
  name?: string;

  /** `disabled`: its tokens work no more; people and groups stay as they are. */
  @Optional()
  @IsIn(['active', 'disabled'])
  @ApiProperty({ enum: ['active', 'disabled'], required: false })
  state?: 'active' | 'disabled';
}

export class DirectoryDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;
  name!: string;
  @ApiProperty({ enum: DIRECTORY_KINDS })
  kind!: string;
  @ApiProperty({ enum: ['active', 'disabled'] })
  state!: string;
  @ApiProperty({ enum: PROVIDED_ROLES })
  defaultRole!: string;
  /** Of whoever set it last: it takes over nobody who holds more. */
  @ApiProperty({ enum: ROLES })
  highestRole!: string;
  @ApiProperty({ enum: CONFLICTS })
  conflicts!: string;
  mapping!: DirectoryMappingDto;
  /** The client whose access tokens are the directory's. */
  @ApiProperty({ format: 'uuid', required: false })
  oauthClientId?: string;
  /** What is entered at the identity provider as the address of the service. */
  baseUrl!: string;
  version!: number;
  createdBy!: string;
  @ApiProperty({ format: 'date-time' })
  createdAt!: string;
  @ApiProperty({ format: 'date-time' })
  updatedAt!: string;
}

export class DirectoryListDto {
  items!: DirectoryDto[];
}

export class CreateTokenDto {
  /** Days from now on, after which it ends: 1 to 730, 365 if not given. */
  @Optional()
  @IsInt()
  @Min(1)
  @Max(730)
  @ApiProperty({ type: 'integer', minimum: 1, maximum: 730, required: false, default: 365 })
  days?: number;
}

export class DirectoryTokenDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;
  /** Its beginning, to recognise it by. */
  prefix!: string;
  createdBy!: string;
  @ApiProperty({ format: 'date-time' })
  createdAt!: string;
  @ApiProperty({ format: 'date-time' })
  expiresAt!: string;
  /** To the minute. */
  @ApiProperty({ format: 'date-time', required: false })
  lastUsedAt?: string;
  @ApiProperty({ format: 'date-time', required: false })
  revokedAt?: string;
}

export class CreatedDirectoryTokenDto extends DirectoryTokenDto {
  /** The token itself: shown now, and never again. */
  token!: string;
}

export class DirectoryTokenListDto {
  items!: DirectoryTokenDto[];
}

export class ScimRequestsQuery extends PageQuery {
  /** Only of this directory. */
  @Optional()
  @IsUUID()
  directory?: string;

  /** Only those that were refused. */
  @Optional()
  @IsIn(['refused'])
  @ApiProperty({ enum: ['refused'], required: false })
  outcome?: 'refused';
}

export class ScimRequestDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;
  @ApiProperty({ format: 'uuid' })
  directory!: string;
  /** The audit event that it is, or would have been. */
  action!: string;
  @ApiProperty({ type: 'integer' })
  status!: number;
  /** What SCIM calls the refusal, where it has a name for it. */
  scimType?: string;
  /** Why it was refused, in words. */
  reason?: string;
  dryRun!: boolean;
  /** The request that it is another try of. */
  @ApiProperty({ format: 'uuid', required: false })
  replayOf?: string;
  /** Who has run it again. */
  replayedBy?: string;
  @ApiProperty({ format: 'date-time' })
  createdAt!: string;
}

export class ReplayDto {
  /** Whether to say only what it would come to. */
  @Optional()
  @IsBoolean()
  dryRun?: boolean;
}

export class ScimRequestPageDto {
  items!: ScimRequestDto[];
  /** Absent on the last page. */
  nextCursor?: string;
}

/** A request as it came: it can be sent again as it is. */
export class FullScimRequestDto extends ScimRequestDto {
  /** Absent where it can be read by nobody any more, as the person was erased. */
  method?: string;
  path?: string;
  @ApiProperty({ type: Object, required: false })
  body?: unknown;
}
