import { ApiProperty } from '@nestjs/swagger';

export class SessionDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;
  @ApiProperty({ format: 'date-time' })
  createdAt!: string;
  /** To the minute. */
  @ApiProperty({ format: 'date-time' })
  lastUsedAt!: string;
  /** How the person proved who they are, such as `password`. */
  method!: string;
  /** Whether this very request belongs to it. */
  current!: boolean;
  /** From where it was opened. */
  address?: string;
  userAgent?: string;
}

export class SessionsDto {
  /** Those that are not over, the newest first. */
  items!: SessionDto[];
}

export class EndedSessionsDto {
  /** How many were ended. */
  ended!: number;
}
