import { ApiProperty } from '@nestjs/swagger';
import { IsIn, IsIP, IsUUID } from 'class-validator';
import { PERMISSION_NAMES, type PermissionName } from '../access/index.js';
import { IsTimestamp, Nested, Optional } from '../platform/http/fields.js';

const KINDS = ['project', 'agent', 'run'] as const;

export class ExplainedResourceDto {
  @IsIn(KINDS)
  @ApiProperty({ enum: KINDS })
  type!: (typeof KINDS)[number];

  @IsUUID()
  @ApiProperty({ format: 'uuid' })
  id!: string;
}

/** What is left out is as it is: you, the whole organisation, here and now. */
export class ExplainDto {
  /** Of somebody else: needs the permission `user:read`. */
  @Optional()
  @IsUUID()
  @ApiProperty({ format: 'uuid', required: false })
  userId?: string;

  /** Of an API key, of whomever: needs `user:read` and `api_key:revoke`. */
  @Optional()
  @IsUUID()
  @ApiProperty({ format: 'uuid', required: false })
  apiKeyId?: string;

  /** Of a client of OAuth, a service account: needs `oauth_client:manage`. */
  @Optional()
  @IsUUID()
  @ApiProperty({ format: 'uuid', required: false })
  clientId?: string;

  @IsIn(PERMISSION_NAMES)
  @ApiProperty({ enum: PERMISSION_NAMES })
  permission!: PermissionName;

  @Optional()
  @Nested(() => ExplainedResourceDto)
  resource?: ExplainedResourceDto;

  /** From where. */
  @Optional()
  @IsIP()
  ip?: string;

  /** When. */
  @Optional()
  @IsTimestamp()
  @ApiProperty({ format: 'date-time', required: false })
  at?: string;

  /** When the second factor was proved. */
  @Optional()
  @IsTimestamp()
  @ApiProperty({ format: 'date-time', required: false })
  mfaAt?: string;
}

export class ClosePolicyDto {
  policy!: string;
  /** Because of what alone it does not permit: it is for others, on something else, or its condition does not hold. */
  @ApiProperty({ enum: ['principal', 'resource', 'condition', 'forbidden'] })
  butFor!: string;
}

export class ExplanationDto {
  allowed!: boolean;
  /** The version of the organisation's own policies that was looked at; absent: there is none. */
  version?: number;
  /** The policies that decided. */
  policies!: string[];
  /** What would permit it but for one thing. */
  close!: ClosePolicyDto[];
  /** The least default role that has the permission. */
  role?: string;
  /** They hold more grants, of their own and of their groups, than are looked at: the newest give nothing. */
  grantsLeftOut?: true;
}
