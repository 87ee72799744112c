import { ApiProperty } from '@nestjs/swagger';
import { IsInt, IsString, Max, MaxLength, Min } from 'class-validator';
import { Optional } from '../platform/http/fields.js';

export class MoveDto {
  /** The cell to move to. Either this or `region`. */
  @Optional()
  @IsString()
  @MaxLength(40)
  cell?: string;

  /** The region to move to: its emptiest cell. */
  @Optional()
  @IsString()
  @MaxLength(40)
  region?: string;

  /** The target's region once more, where it is another than the present one: all data leaves that. */
  @Optional()
  @IsString()
  @MaxLength(40)
  confirmRegion?: string;

  /** For how many seconds writes may be refused at most; then they are accepted again, and the rest is tried later. */
  @ApiProperty({ required: false, type: 'integer', minimum: 1, maximum: 300, default: 15 })
  @Optional()
  @IsInt()
  @Min(1)
  @Max(300)
  pauseSeconds: number = 15;

  /** After how many seconds the former cell's copy is taken away. */
  @ApiProperty({ required: false, type: 'integer', minimum: 1, maximum: 86_400, default: 60 })
  @Optional()
  @IsInt()
  @Min(1)
  @Max(86_400)
  keepSeconds: number = 60;
}

export class MoveProgressDto {
  from!: string;
  to!: string;
  /** Rows copied so far, of the organisation's tables. */
  @ApiProperty({ type: 'integer' })
  rows!: number;
  /** Events of its audit log copied so far. */
  @ApiProperty({ type: 'integer' })
  events!: number;
  @ApiProperty({ type: 'integer' })
  objects!: number;
  /** Once it was cut over: for how many milliseconds writes were refused. */
  @ApiProperty({ type: 'integer' })
  writesPausedMs?: number;
  /** And reads, at the end of it. */
  @ApiProperty({ type: 'integer' })
  readsPausedMs?: number;
}

export class OperationDetailsDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;
  /** What is done, such as `tenant.move`. */
  kind!: string;
  @ApiProperty({ enum: ['running', 'done', 'failed'] })
  status!: string;
  /** The step that it is at. */
  step!: string;
  /** What it waits for, where nobody goes on with it: a program that has its step. */
  waitsFor?: string;
  /** Of a move. */
  progress?: MoveProgressDto;
  /** Why it failed, or why its present step is repeated. */
  error?: string;
  @ApiProperty({ format: 'date-time' })
  createdAt!: string;
  /** When its present step is due. */
  @ApiProperty({ format: 'date-time' })
  dueAt!: string;
  @ApiProperty({ format: 'date-time' })
  finishedAt?: string;
}
