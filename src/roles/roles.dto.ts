import { ApiProperty } from '@nestjs/swagger';
import {
  ArrayMaxSize,
  ArrayNotEmpty,
  ArrayUnique,
  IsArray,
  IsIn,
  IsString,
  Length,
  Matches,
  MaxLength,
} from 'class-validator';
import { grantablePermissions, type PermissionName } from '../access/index.js';
import { Optional } from '../platform/http/fields.js';

const NAME = /^[A-Za-z0-9][A-Za-z0-9 ._-]*$/;
/** Names of default roles, which would be taken for them. */
const NOT_A_DEFAULT = /^(?!(?:owner|admin|developer|viewer|member)$)/i;
const GRANTABLE = grantablePermissions();

export class CreateRoleDto {
  /** Letters, digits, spaces, dots, hyphens and underscores; not the name of a default role. */
  @IsString()
  @Length(1, 100)
  @Matches(NAME, { message: 'name must be of letters, digits, spaces, dots, hyphens and underscores' })
  @Matches(NOT_A_DEFAULT, { message: 'name must not be that of a default role' })
  name!: string;

  @Optional()
  @IsString()
  @MaxLength(2_000)
  description?: string;

  /** What whoever holds it may do: none that an Owner alone has. See GET /v1/access/permissions. */
  @IsArray()
  @ArrayNotEmpty()
  @ArrayMaxSize(GRANTABLE.length)
  @ArrayUnique()
  @IsIn(GRANTABLE, { each: true })
  @ApiProperty({ enum: GRANTABLE, isArray: true, minItems: 1 })
  permissions!: PermissionName[];
}

/** Left out is left as it is. */
export class UpdateRoleDto {
  @Optional()
  @IsString()
  @Length(1, 100)
  @Matches(NAME, { message: 'name must be of letters, digits, spaces, dots, hyphens and underscores' })
  @Matches(NOT_A_DEFAULT, { message: 'name must not be that of a default role' })
  name?: string;

  @Optional()
  @IsString()
  @MaxLength(2_000)
  description?: string;

  /** For everybody who holds it, at once. */
  @Optional()
  @IsArray()
  @ArrayNotEmpty()
  @ArrayMaxSize(GRANTABLE.length)
  @ArrayUnique()
  @IsIn(GRANTABLE, { each: true })
  @ApiProperty({ enum: GRANTABLE, isArray: true, minItems: 1, required: false })
  permissions?: PermissionName[];
}

export class RoleDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;
  name!: string;
  description!: string;
  permissions!: string[];
  version!: number;
  /** Id of the person or key that created it. */
  createdBy!: string;
  @ApiProperty({ format: 'date-time' })
  createdAt!: string;
  @ApiProperty({ format: 'date-time' })
  updatedAt!: string;
}

export class RolePageDto {
  items!: RoleDto[];
  /** Absent on the last page. */
  nextCursor?: string;
}
