import { ApiProperty } from '@nestjs/swagger';
import { RUN_STATUSES } from '@waxell/sdk';
import { Type } from 'class-transformer';
import { IsDefined, IsInt, IsUUID, Max, Min } from 'class-validator';
import { PageQuery } from '../platform/http/pagination.js';
import { Nullable, Optional } from '../platform/http/fields.js';

const ANY_JSON = {
  oneOf: [
    { type: 'string' },
    { type: 'number' },
    { type: 'boolean' },
    { type: 'object' },
    { type: 'array', items: {} },
    { type: 'null' },
  ],
};

export class CreateRunDto {
  /** Any JSON value; what the agent works on. Stored encrypted. */
  @Nullable()
  @IsDefined()
  @ApiProperty(ANY_JSON)
  input!: unknown;
}

export class RunsQuery extends PageQuery {
  /** Only runs of this agent. */
  @Optional()
  @IsUUID()
  agentId?: string;
}

export class RunEventsQuery {
  /** Only events after this one; as the header Last-Event-ID. */
  @Optional()
  @Type(() => Number)
  @IsInt()
  @Min(0)
  @Max(2_147_483_647)
  after?: number;
}

export class RunErrorDto {
  code!: string;
  message!: string;
}

export class UsageDto {
  inputTokens!: number;
  outputTokens!: number;
  modelCalls!: number;
}

export class RunDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;
  @ApiProperty({ format: 'uuid' })
  agentId!: string;
  /** The published version that it runs. */
  agentVersion!: number;
  @ApiProperty({ enum: RUN_STATUSES })
  status!: string;
  @ApiProperty(ANY_JSON)
  input!: unknown;
  /** When COMPLETED. */
  @ApiProperty({ ...ANY_JSON, required: false })
  output?: unknown;
  /** When FAILED. */
  error?: RunErrorDto;
  usage!: UsageDto;
  /** Id of the person or key that started it. */
  createdBy!: string;
  @ApiProperty({ format: 'date-time' })
  createdAt!: string;
  @ApiProperty({ format: 'date-time', required: false })
  startedAt?: string;
  @ApiProperty({ format: 'date-time', required: false })
  finishedAt?: string;
}

export class RunPageDto {
  items!: RunDto[];
  /** Absent on the last page. */
  nextCursor?: string;
}
