import { ApiProperty } from '@nestjs/swagger';
import { MODEL_PROVIDERS } from '@waxell/sdk';
import { IsIn, IsInt, IsNumber, IsString, IsUrl, IsUUID, Length, Max, MaxLength, Min } from 'class-validator';
import { PageQuery } from '../platform/http/pagination.js';
import { Nested, Optional, OptionalOrNull } from '../platform/http/fields.js';

export class CreateProjectDto {
  @IsString()
  @Length(1, 200)
  name!: string;

  @Optional()
  @IsString()
  @MaxLength(2_000)
  description?: string;
}

export class ProjectDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;
  name!: string;
  description!: string;
  /** What it is for, where it was labelled. */
  environment?: string;
  tags!: string[];
  version!: number;
  /** Id of the person or key that created it. */
  createdBy!: string;
  @ApiProperty({ format: 'date-time' })
  createdAt!: string;
  @ApiProperty({ format: 'date-time' })
  updatedAt!: string;
}

export class ProjectPageDto {
  items!: ProjectDto[];
  /** Absent on the last page. */
  nextCursor?: string;
}

/** Bounds that the checks of @waxell/sdk repeat: here they name the field in OpenAPI, there they hold for every path. */
export class ModelDto {
  @IsIn(MODEL_PROVIDERS)
  @ApiProperty({ enum: MODEL_PROVIDERS, description: '`demo` is built in, offline and deterministic.' })
  provider!: (typeof MODEL_PROVIDERS)[number];

  /** The provider's own name of the model. */
  @IsString()
  @Length(1, 200)
  name!: string;

  /** Where the provider answers, if not at its public endpoint. Addresses inside the operator's network are refused. */
  @Optional()
  @IsUrl({
    protocols: ['http', 'https'],
    require_protocol: true,
    require_tld: false,
    allow_underscores: true,
    disallow_auth: true,
  })
  @MaxLength(2_000)
  baseUrl?: string;

  @Optional()
  @IsNumber()
  @Min(0)
  @Max(2)
  temperature?: number;

  /** Tokens that one model call may generate. */
  @Optional()
  @IsInt()
  @Min(1)
  @Max(1_000_000)
  maxOutputTokens?: number;
}

export class LimitsDto {
  /** Model calls that one run may make. */
  @Optional()
  @IsInt()
  @Min(1)
  @Max(1_000)
  maxModelCalls?: number;

  /** Seconds until a run is stopped. */
  @Optional()
  @IsInt()
  @Min(1)
  @Max(86_400)
  timeoutSeconds?: number;

  /** Bytes of JSON that a run may return. */
  @Optional()
  @IsInt()
  @Min(1)
  @Max(10_485_760)
  maxOutputBytes?: number;
}

export class DefinitionDto {
  /** What the agent is told to do, before any input. */
  @IsString()
  @Length(1, 100_000)
  instructions!: string;

  @Nested(() => ModelDto)
  model!: ModelDto;

  @Optional()
  @Nested(() => LimitsDto)
  limits?: LimitsDto;
}

/** Your own keys for model providers. Stored encrypted under your organisation's key; never answered. */
export class ProviderKeysDto {
  @Optional()
  @IsString()
  @Length(1, 500)
  openai?: string;

  @Optional()
  @IsString()
  @Length(1, 500)
  anthropic?: string;
}

export class CreateAgentDto {
  @IsUUID()
  projectId!: string;

  @IsString()
  @Length(1, 200)
  name!: string;

  @Optional()
  @IsString()
  @MaxLength(2_000)
  description?: string;

  @Nested(() => DefinitionDto)
  definition!: DefinitionDto;

  @Optional()
  @Nested(() => ProviderKeysDto)
  apiKeys?: ProviderKeysDto;
}

/** Left out is left as it is. */
export class UpdateAgentDto {
  @Optional()
  @IsString()
  @Length(1, 200)
  name?: string;

  @Optional()
  @IsString()
  @MaxLength(2_000)
  description?: string;

  @Optional()
  @Nested(() => DefinitionDto)
  definition?: DefinitionDto;

  /** `null` takes the keys away. */
  @OptionalOrNull()
  @Nested(() => ProviderKeysDto)
  apiKeys?: ProviderKeysDto | null;
}

export class AgentsQuery extends PageQuery {
  /** Only agents of this project. */
  @Optional()
  @IsUUID()
  projectId?: string;
}

export class AgentDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;
  @ApiProperty({ format: 'uuid' })
  projectId!: string;
  name!: string;
  description!: string;
  /** What it is for; absent: what its project is for. */
  environment?: string;
  /** Its own; those of its project count as well. */
  tags!: string[];
  @ApiProperty({ enum: ['draft', 'published'] })
  status!: string;
  /** The draft; runs use the published version. */
  definition!: DefinitionDto;
  /** Providers that the agent has keys of yours for. */
  @ApiProperty({ enum: ['openai', 'anthropic'], isArray: true })
  apiKeyProviders!: string[];
  /** The version that runs use. */
  publishedVersion?: number;
  version!: number;
  /** Id of the person or key that created it. */
  createdBy!: string;
  @ApiProperty({ format: 'date-time' })
  createdAt!: string;
  @ApiProperty({ format: 'date-time' })
  updatedAt!: string;
}

export class AgentPageDto {
  items!: AgentDto[];
  /** Absent on the last page. */
  nextCursor?: string;
}
