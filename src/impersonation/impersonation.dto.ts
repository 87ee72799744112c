import { ApiProperty } from '@nestjs/swagger';
import { IsBoolean, IsInt, IsString, IsUUID, Length, Matches, Max, Min } from 'class-validator';
import { Optional } from '../platform/http/fields.js';

const STATES = ['requested', 'active', 'ended'] as const;

export class RequestImpersonationDto {
  /** Slug or id of the organisation. */
  @IsString()
  @Length(1, 60)
  tenant!: string;

  /** As which of its people. */
  @IsUUID()
  @ApiProperty({ format: 'uuid' })
  userId!: string;

  /** Who it is; the organisation sees it. */
  @IsString()
  @Length(2, 200)
  @Matches(/\S/)
  supportPerson!: string;

  /** What it is for, such as a ticket; the organisation sees it. */
  @IsString()
  @Length(10, 2_000)
  @Matches(/\S.{8,}\S/s, { message: 'reason must say why, in ten characters at least' })
  reason!: string;

  /** It is over so many minutes after it began. */
  @IsInt()
  @Min(1)
  @Max(60)
  minutes!: number;

  /** Whether agents and runs are to be changed, and not only read. */
  @Optional()
  @IsBoolean()
  writes?: boolean;
}

export class WithdrawImpersonationDto {
  /** Slug or id of the organisation. */
  @IsString()
  @Length(1, 60)
  tenant!: string;
}

export class ImpersonationDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;
  /** As whom. */
  @ApiProperty({ format: 'uuid' })
  userId!: string;
  supportPerson!: string;
  reason!: string;
  writes!: boolean;
  minutes!: number;
  @ApiProperty({ enum: STATES })
  state!: string;
  @ApiProperty({ format: 'date-time' })
  requestedAt!: string;
  /** The Owner who has let it begin. */
  approvedBy?: string;
  @ApiProperty({ format: 'date-time', required: false })
  startedAt?: string;
  @ApiProperty({ format: 'date-time', required: false })
  expiresAt?: string;
  @ApiProperty({ format: 'date-time', required: false })
  endedAt?: string;
}

export class RequestedImpersonationDto extends ImpersonationDto {
  /** For `Authorization: Bearer`, shown this once; good while the impersonation is active. */
  key!: string;
}

export class ImpersonationPageDto {
  items!: ImpersonationDto[];
  /** Absent on the last page. */
  nextCursor?: string;
}

export class ImpersonationSettingsDto {
  /** Whether support may begin without asking; otherwise an Owner approves each time. */
  @IsBoolean()
  allowed!: boolean;

  /** Whether it may then change agents and runs; otherwise that is approved each time. */
  @IsBoolean()
  writes!: boolean;
}
