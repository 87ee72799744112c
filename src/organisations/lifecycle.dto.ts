import { ApiProperty } from '@nestjs/swagger';
import { IsInt, IsString, Length, Matches, Max, Min } from 'class-validator';
import { applyDecorators } from '@nestjs/common';
import { Nested, Optional, OptionalOrNull } from '../platform/http/fields.js';

/** A whole number, or `null` for the default. */
function Quota(): PropertyDecorator {
  return applyDecorators(
    OptionalOrNull(),
    IsInt(),
    Min(0),
    Max(Number.MAX_SAFE_INTEGER),
    ApiProperty({ type: 'integer', nullable: true, minimum: 0, required: false }),
  );
}

/** What the organisation may have. Left out is left as it is; `null` is the default again. */
export class QuotasDto {
  /** Active people. */
  @Quota()
  users?: number | null;

  /** Agents that are not deleted. */
  @Quota()
  agents?: number | null;

  /** Runs begun in a day of UTC. */
  @Quota()
  runsPerDay?: number | null;

  /** Bytes of rows and objects, as measured every ten minutes. */
  @Quota()
  storageBytes?: number | null;
}

/** Left out is left as it is. */
export class UpdateOrganisationDto {
  /** A new name in URLs and headers. The former one leads here for 90 days, and nobody else can have it meanwhile. */
  @Optional()
  @Matches(/^[a-z][a-z0-9-]{1,38}[a-z0-9]$/, {
    message: 'slug must be 3 to 40 lower-case letters, digits or hyphens, and begin with a letter',
  })
  slug?: string;

  @Optional()
  @IsString()
  @Length(1, 200)
  name?: string;

  @Optional()
  @Nested(() => QuotasDto)
  quotas?: QuotasDto;
}

export class SuspendOrganisationDto {
  /** Told to the organisation in its own log. Without personal data. */
  @IsString()
  @Length(1, 500)
  reason!: string;
}

export class DeleteOrganisationDto {
  /** Days until it is purged, in which it can be restored; 0 purges it at once, and needs `confirm`. */
  @Optional()
  @IsInt()
  @Min(0)
  @Max(30)
  @ApiProperty({ type: 'integer', minimum: 0, maximum: 30, default: 14, required: false })
  graceDays?: number;

  /** The organisation's slug. */
  @Optional()
  @IsString()
  @Length(1, 40)
  confirm?: string;
}

export class OperationDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;
  kind!: string;
  /** The one at work, or the last one. */
  step!: string;
  @ApiProperty({ enum: ['running', 'done', 'failed'] })
  status!: string;
  /** What it waits for, where nobody goes on with it: a program that has its step. */
  waitsFor?: string;
  /** Why it failed, or why its present step has to be repeated. */
  error?: string;
  /** How often the present step was begun and did not end. */
  attempts!: number;
  @ApiProperty({ format: 'date-time' })
  dueAt!: string;
  @ApiProperty({ format: 'date-time' })
  createdAt!: string;
  @ApiProperty({ format: 'date-time', required: false })
  finishedAt?: string;
}

export class OperationsDto {
  items!: OperationDto[];
}

export class QuotaUsageDto {
  limit!: number;
  used!: number;
}

export class DailyUsageDto extends QuotaUsageDto {
  @ApiProperty({ format: 'date-time' })
  resetsAt!: string;
}

export class MeasuredUsageDto extends QuotaUsageDto {
  /** Absent as long as nothing has been measured. */
  @ApiProperty({ format: 'date-time', required: false })
  measuredAt?: string;
}

export class UsageReportDto {
  users!: QuotaUsageDto;
  agents!: QuotaUsageDto;
  runsPerDay!: DailyUsageDto;
  storageBytes!: MeasuredUsageDto;
}
