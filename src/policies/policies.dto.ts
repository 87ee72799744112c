import { ApiProperty } from '@nestjs/swagger';
import { IsInt, IsString, Length, Max, MaxLength, Min } from 'class-validator';
import { Nullable, Optional } from '../platform/http/fields.js';

export const TEXT_LENGTH = 32_768;

export class WritePoliciesDto {
  /** Policies in Cedar, each with a name: `@id("no-night-work") forbid (...)`. Replaces those in force, once it is activated. */
  @IsString()
  @Length(1, TEXT_LENGTH)
  text!: string;

  /** What it is for; for those who read the history. */
  @Optional()
  @IsString()
  @MaxLength(500)
  note?: string;
}

export class RollBackDto {
  /** A version that was in force before; `null`: none. */
  @Nullable()
  @IsInt()
  @Min(1)
  @Max(2_147_483_647)
  @ApiProperty({ type: 'integer', nullable: true, minimum: 1 })
  version!: number | null;
}

export class DryRunDto {
  /** So many of the last decisions are looked at. */
  @Optional()
  @IsInt()
  @Min(1)
  @Max(1_000)
  @ApiProperty({ type: 'integer', minimum: 1, maximum: 1_000, default: 200, required: false })
  last?: number;
}

export class PolicyVersionDto {
  version!: number;
  text!: string;
  note!: string;
  inForce!: boolean;
  /** Id of the person or key that wrote it. */
  createdBy!: string;
  @ApiProperty({ format: 'date-time' })
  createdAt!: string;
}

export class PolicyVersionPageDto {
  items!: PolicyVersionDto[];
  /** The version in force; absent: none. */
  inForce?: number;
  /** Absent on the last page. */
  nextCursor?: string;
}

export class InForceDto {
  /** Absent: none is in force. */
  version?: number;
}

export class ChangedDecisionDto {
  /** Position in the audit log. */
  seq!: number;
  @ApiProperty({ format: 'date-time' })
  at!: string;
  actor!: string;
  permission!: string;
  /** `kind id` of what it was asked for; absent: the organisation. */
  resource?: string;
  @ApiProperty({ enum: ['allowed', 'denied'] })
  before!: string;
  /** `other_rows`: a list that is allowed as before, of other rows. */
  @ApiProperty({ enum: ['allowed', 'denied', 'other_rows'] })
  after!: string;
  /** The policies that would decide. */
  policies!: string[];
}

/** How many, by what keeps them from being made again. */
export class SkippedDecisionsDto {
  /** Whoever asked is not there any more, may not act, or was the operator. */
  principalGone!: number;
  /** What it was asked for is not there any more, or was not then. */
  resourceGone!: number;
  /** There is no such permission any more. */
  permissionGone!: number;
  /** It depends on when the second factor was proved, which no event says. */
  secondFactor!: number;
}

export class DryRunResultDto {
  /** Decisions that were made again, by both. */
  looked!: number;
  /** Decisions that cannot be made again. */
  skipped!: number;
  skippedBecause!: SkippedDecisionsDto;
  changed!: ChangedDecisionDto[];
}
