import { ApiProperty } from '@nestjs/swagger';
import { IsInt, Max, Min } from 'class-validator';

export class CreateRestoreDto {
  /** Number of the first event. */
  @IsInt()
  @Min(1)
  @Max(Number.MAX_SAFE_INTEGER)
  from!: number;

  /** Number of the last one; 100,000 events at most. */
  @IsInt()
  @Min(1)
  @Max(Number.MAX_SAFE_INTEGER)
  to!: number;
}

export class RestoreDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;
  from!: number;
  to!: number;
  /** READY can be searched: `GET /v1/audit/events?restore=<id>`. */
  @ApiProperty({ enum: ['LOADING', 'READY', 'FAILED'] })
  status!: string;
  /** Why it failed. */
  error?: string;
  @ApiProperty({ format: 'date-time' })
  createdAt!: string;
  /** From then on it is gone. The log itself is not. */
  @ApiProperty({ format: 'date-time' })
  expiresAt!: string;
}

export class RestoresDto {
  /** The latest first. */
  items!: RestoreDto[];
}
