import { ApiProperty } from '@nestjs/swagger';
import {
  ArrayMaxSize,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsString,
  IsUrl,
  Length,
  Matches,
  Max,
  MaxLength,
  Min,
} from 'class-validator';
import { Optional } from '../platform/http/fields.js';
import { DESTINATION_KINDS, type DestinationKind } from './destination.entity.js';

/** Printable ASCII: it is sent in a header. */
const HEADER_VALUE = /^[\x21-\x7e]+$/;

class DestinationFieldsDto {
  /** Where the receiver takes events. Addresses inside the operator's network are refused. */
  @Optional()
  @IsUrl({ protocols: ['http', 'https'], require_protocol: true, require_tld: false, disallow_auth: true })
  @MaxLength(2_000)
  url?: string;

  /** Splunk: a token of the HTTP Event Collector. Datadog: an API key. Never answered. */
  @Optional()
  @IsString()
  @Length(1, 500)
  @Matches(HEADER_VALUE, { message: 'credential must be printable ASCII without spaces' })
  credential?: string;

  /** Splunk: the index, if not the token's own. */
  @Optional()
  @IsString()
  @Matches(/^[a-z0-9][a-z0-9_-]{0,79}$/)
  index?: string;

  /** Splunk: the source type; `waxell:ocsf` if not given. */
  @Optional()
  @IsString()
  @Matches(/^[A-Za-z0-9:_.-]{1,80}$/)
  sourcetype?: string;

  /** Datadog: the service; `waxell` if not given. */
  @Optional()
  @IsString()
  @Matches(/^[A-Za-z0-9_./:-]{1,100}$/)
  service?: string;

  /** Datadog: tags of every entry. */
  @Optional()
  @IsArray()
  @ArrayMaxSize(20)
  @IsString({ each: true })
  @Matches(/^[A-Za-z][A-Za-z0-9_./:-]{0,199}$/, { each: true })
  tags?: string[];

  /** Whether address, user agent and e-mail address of whoever acted go along: yes, if not given. */
  @Optional()
  @IsBoolean()
  personalData?: boolean;
}

export class CreateDestinationDto extends DestinationFieldsDto {
  @IsString()
  @Length(1, 200)
  name!: string;

  @IsIn(DESTINATION_KINDS)
  @ApiProperty({ enum: DESTINATION_KINDS })
  kind!: DestinationKind;

  /** `now`: what is recorded from now on. `first`: the whole log, from its first event. */
  @Optional()
  @IsIn(['now', 'first'])
  @ApiProperty({ enum: ['now', 'first'], default: 'now', required: false })
  from?: 'now' | 'first';
}

export class UpdateDestinationDto extends DestinationFieldsDto {
  @Optional()
  @IsString()
  @Length(1, 200)
  name?: string;
}

export class DestinationSettingsDto {
  url?: string;
  index?: string;
  sourcetype?: string;
  service?: string;
  tags?: string[];
  personalData!: boolean;
}

export class DeliveryDto {
  @ApiProperty({ enum: ['delivering', 'retrying', 'paused'] })
  state!: string;
  /** Everything up to this position of the log was taken, or refused for good. */
  deliveredThrough!: number;
  /** Events that are not delivered yet. */
  lagEvents!: number;
  /** How old the first of them is; 0 where there is none. */
  lagSeconds!: number;
  /** Events that the receiver has refused for good. */
  refused!: number;
  /** Tries in a row that failed. */
  failures!: number;
  /** What the last one met. */
  error?: string;
  @ApiProperty({ format: 'date-time' })
  deliveredAt?: string;
  /** When the next try is due. */
  @ApiProperty({ format: 'date-time' })
  nextTryAt?: string;
}

export class DestinationDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;
  name!: string;
  @ApiProperty({ enum: DESTINATION_KINDS })
  kind!: string;
  settings!: DestinationSettingsDto;
  paused!: boolean;
  delivery!: DeliveryDto;
  version!: number;
  createdBy!: string;
  @ApiProperty({ format: 'date-time' })
  createdAt!: string;
  @ApiProperty({ format: 'date-time' })
  updatedAt!: string;
}

export class CreatedDestinationDto extends DestinationDto {
  /** Of a webhook: the secret that signs, shown this once. */
  secret?: string;
}

export class DestinationListDto {
  items!: DestinationDto[];
}

export class TestResultDto {
  delivered!: boolean;
  /** What the receiver answered, or why it was not reached. */
  error?: string;
}

export class DeadLetterDto {
  /** Position in the log: GET /v1/audit/events has the event. */
  seq!: number;
  reason!: string;
  @ApiProperty({ format: 'date-time' })
  at!: string;
}

export class DeadLetterPageDto {
  items!: DeadLetterDto[];
  /** Absent on the last page. */
  nextCursor?: string;
}

export class RedeliverDto {
  /** Position in the log of the first event that is sent again; from the oldest, where it is absent. */
  @Optional()
  @IsInt()
  @Min(1)
  @Max(Number.MAX_SAFE_INTEGER)
  from?: number;

  /** Of the last; to the newest, where it is absent. */
  @Optional()
  @IsInt()
  @Min(1)
  @Max(Number.MAX_SAFE_INTEGER)
  to?: number;
}

export class RedeliveryDto {
  /** Events that the receiver has taken: they are no dead letters any more. */
  delivered!: number;
  /** Events that it refused again, or that are larger than it takes. They stay. */
  refused!: number;
  /** Events whose time is over: nothing is left of them to be sent. */
  expired!: number;
  /** Why it ended before the last one: what the receiver answered, or that it was not reached. */
  error?: string;
  /** `from` of the call that goes on. Absent at the end. */
  @ApiProperty({ required: false })
  nextFrom?: number;
}
