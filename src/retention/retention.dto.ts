import { ApiProperty } from '@nestjs/swagger';
import { ArrayMaxSize, IsArray, IsIn, IsInt, IsString, Length, Max, Min } from 'class-validator';
import { applyDecorators } from '@nestjs/common';
import { Nullable, Optional } from '../platform/http/fields.js';
import { BODY_RECORDINGS, type BodyRecording } from '../platform/http/tenant-rules.js';

/** Days, or `null` for the installation's. */
function Days(least: number): PropertyDecorator {
  return applyDecorators(
    Nullable(),
    IsInt(),
    Min(least),
    Max(36_500),
    ApiProperty({ type: 'integer', nullable: true, minimum: least }),
  );
}

/** `null`, which has to be said, is what the installation has. */
export class ReplaceRetentionDto {
  /** For how many days events stay in the database at least, where they are searched. */
  @Days(90)
  hotDays!: number | null;

  /** For how many days they are kept in all. What is locked already stays locked for as long as it was. */
  @Days(365)
  coldDays!: number | null;
}

export class DaysDto {
  hotDays!: number;
  coldDays!: number;
}

export class HoldDto {
  @ApiProperty({ format: 'date-time' })
  since!: string;
  @ApiProperty({ enum: ['owner', 'operator'] })
  by!: string;
  reason!: string;
}

export class RetentionDto {
  @ApiProperty({ type: 'integer', nullable: true })
  hotDays!: number | null;
  @ApiProperty({ type: 'integer', nullable: true })
  coldDays!: number | null;
  /** What holds: what was set, or else what the installation has. */
  effective!: DaysDto;
  /** The most that can be set. */
  longest!: DaysDto;
  /** Absent where there is none. While there is, nothing of the log is deleted. */
  legalHold?: HoldDto;
  version!: number;
}

export class RequestBodiesDto {
  /**
   * `redacted`: without what is secret or personal by the names of its fields. `full`: with what is personal, where it is
   * known whose it is, and under that person's key. A body of more than 16 KiB is told by its length alone.
   */
  @IsIn(BODY_RECORDINGS)
  @ApiProperty({ enum: BODY_RECORDINGS })
  recorded!: BodyRecording;
  /** Names of further fields that are not recorded, however deep, in large or small letters; left out: none. */
  @Optional()
  @IsArray()
  @ArrayMaxSize(100)
  @IsString({ each: true })
  @Length(1, 64, { each: true })
  withheld?: string[];
}

export class LegalHoldReasonDto {
  /** Stored encrypted. */
  @IsString()
  @Length(1, 1_000)
  reason!: string;
}
