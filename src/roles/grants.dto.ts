import { ApiProperty } from '@nestjs/swagger';
import { IsIn, IsUUID, ValidateIf } from 'class-validator';
import { Nested, Optional } from '../platform/http/fields.js';
import { GRANTABLE } from '../platform/http/grants.js';
import { PageQuery } from '../platform/http/pagination.js';
import { GRANTED_ROLES, PRINCIPAL_TYPES, type GrantedRole, type PrincipalType } from './role.entity.js';

export class PrincipalDto {
  @IsIn(PRINCIPAL_TYPES)
  @ApiProperty({ enum: PRINCIPAL_TYPES })
  type!: PrincipalType;

  @IsUUID()
  @ApiProperty({ format: 'uuid' })
  id!: string;
}

/** Either a default role or one of the organisation's own. */
export class CreateGrantDto {
  @Nested(() => PrincipalDto)
  principal!: PrincipalDto;

  /** A default role; left out where `roleId` names one of the organisation's own. */
  @ValidateIf(({ role, roleId }: CreateGrantDto) => role !== undefined || roleId === undefined)
  @IsIn(GRANTED_ROLES)
  @ApiProperty({ enum: GRANTED_ROLES, required: false })
  role?: GrantedRole;

  @Optional()
  @IsUUID()
  @ApiProperty({ format: 'uuid', required: false })
  roleId?: string;
}

export class GrantsQuery extends PageQuery {
  /** Only of this person, group or service account. */
  @Optional()
  @IsUUID()
  principalId?: string;

  /** Only of this role of the organisation's own. */
  @Optional()
  @IsUUID()
  roleId?: string;
}

export class GrantResourceDto {
  @ApiProperty({ enum: GRANTABLE })
  type!: string;
  id!: string;
}

export class GrantDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;
  principal!: PrincipalDto;
  @ApiProperty({ enum: GRANTED_ROLES, required: false })
  role?: string;
  @ApiProperty({ format: 'uuid', required: false })
  roleId?: string;
  resource!: GrantResourceDto;
  /** Id of the person or key that granted it. */
  createdBy!: string;
  @ApiProperty({ format: 'date-time' })
  createdAt!: string;
}

export class GrantPageDto {
  items!: GrantDto[];
  /** Absent on the last page. */
  nextCursor?: string;
}
