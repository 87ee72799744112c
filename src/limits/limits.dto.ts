import { applyDecorators } from '@nestjs/common';
import { ApiExtraModels, ApiProperty, getSchemaPath } from '@nestjs/swagger';
import { ArrayMaxSize, ArrayUnique, IsArray, IsIn, IsInt, Max, Min } from 'class-validator';
import { Nested, Nullable } from '../platform/http/fields.js';
import { COUNTRIES } from './countries.js';

/** As wide as the installation's own (src/platform/config/environment.ts), which are answered in the same form. */
export class RequestQuotaDto {
  /** Requests a second, in the long run. */
  @IsInt()
  @Min(1)
  @Max(1_000_000)
  perSecond!: number;

  /** Requests at once, after a pause. */
  @IsInt()
  @Min(1)
  @Max(10_000_000)
  burst!: number;
}

export class SignInQuotaDto {
  /** Attempts a minute from one address, in the long run. */
  @IsInt()
  @Min(1)
  @Max(1_000_000)
  perMinute!: number;

  /** Attempts at once, after a pause. */
  @IsInt()
  @Min(1)
  @Max(1_000_000)
  burst!: number;
}

type Dto = new () => object;

/** JSON Schema's way of saying it; the framework's `nullable` is of OpenAPI 3.0. */
function OrNull(dto: Dto): PropertyDecorator {
  return ApiProperty({ oneOf: [{ $ref: getSchemaPath(dto) }, { type: 'null' }] });
}

/** `null`, which has to be said, is the installation's default. */
function OrDefault(dto: Dto): PropertyDecorator {
  return applyDecorators(
    OrNull(dto),
    Nullable(),
    Nested(() => dto),
  );
}

@ApiExtraModels(RequestQuotaDto, SignInQuotaDto)
export class ReplaceRateLimitsDto {
  @OrDefault(RequestQuotaDto)
  requests!: RequestQuotaDto | null;

  @OrDefault(SignInQuotaDto)
  signIns!: SignInQuotaDto | null;
}

export class EffectiveLimitsDto {
  requests!: RequestQuotaDto;
  signIns!: SignInQuotaDto;
}

export class RateLimitsDto {
  /** What was set for this organisation; `null` where nothing was. */
  @OrNull(RequestQuotaDto)
  requests!: RequestQuotaDto | null;

  @OrNull(SignInQuotaDto)
  signIns!: SignInQuotaDto | null;

  /** What holds: what was set, or else the installation's default. */
  effective!: EffectiveLimitsDto;
  version!: number;
}

const MODES = ['allow', 'deny'] as const;
export type Mode = (typeof MODES)[number];

export class ReplaceNetworkRulesDto {
  /** Whether the countries are those that are served, or those that are not. */
  @IsIn(MODES)
  @ApiProperty({ enum: MODES })
  mode!: Mode;

  /** ISO 3166-1 alpha-2, in capitals. `deny` and no country at all serves everybody. */
  @IsArray()
  @ArrayMaxSize(COUNTRIES.length)
  @ArrayUnique()
  @IsIn(COUNTRIES, { each: true, message: 'each country must be a code of ISO 3166-1 alpha-2, such as DE' })
  @ApiProperty({ type: [String], example: ['DE', 'FR'] })
  countries!: string[];

  /** What happens to requests whose country is not known. */
  @IsIn(MODES)
  @ApiProperty({ enum: MODES })
  unknown!: Mode;
}

export class NetworkRulesDto {
  @ApiProperty({ enum: MODES })
  mode!: string;
  countries!: string[];
  @ApiProperty({ enum: MODES })
  unknown!: string;
  version!: number;
}
