import { ApiProperty } from '@nestjs/swagger';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsBoolean,
  IsEmail,
  IsIn,
  IsString,
  IsUrl,
  Length,
  Matches,
  MaxLength,
} from 'class-validator';
import { Optional } from '../platform/http/fields.js';
import { CHANNEL_KINDS, type ChannelKind } from './channel.entity.js';
import { SEVERITIES, type AlertSeverity } from './severity.js';

class ChannelFieldsDto {
  /** Alerts this severe, and severer: all, if not given. */
  @Optional()
  @IsIn(SEVERITIES)
  @ApiProperty({ enum: SEVERITIES, required: false })
  minimumSeverity?: AlertSeverity;

  /** Of a webhook; PagerDuty: the Events API v2, if not in the United States. Addresses inside the operator's network are refused. */
  @Optional()
  @IsUrl({ protocols: ['http', 'https'], require_protocol: true, require_tld: false, disallow_auth: true })
  @MaxLength(2_000)
  url?: string;

  /** PagerDuty: the integration's routing key. Never answered. */
  @Optional()
  @IsString()
  @Matches(/^[A-Za-z0-9]{32}$/, { message: 'credential must be a routing key of 32 letters and digits' })
  credential?: string;

  /** E-mail: whom to. */
  @Optional()
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(20)
  @IsEmail({}, { each: true })
  to?: string[];
}

export class CreateChannelDto extends ChannelFieldsDto {
  @IsString()
  @Length(1, 200)
  name!: string;

  @IsIn(CHANNEL_KINDS)
  @ApiProperty({ enum: CHANNEL_KINDS })
  kind!: ChannelKind;
}

export class UpdateChannelDto extends ChannelFieldsDto {
  @Optional()
  @IsString()
  @Length(1, 200)
  name?: string;

  /** A channel that is not enabled is told nothing, not even what waits. */
  @Optional()
  @IsBoolean()
  enabled?: boolean;
}

export class ChannelDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;
  name!: string;
  @ApiProperty({ enum: CHANNEL_KINDS })
  kind!: string;
  @ApiProperty({ enum: SEVERITIES })
  minimumSeverity!: string;
  url?: string;
  to?: string[];
  enabled!: boolean;
  version!: number;
  createdBy!: string;
  @ApiProperty({ format: 'date-time' })
  createdAt!: string;
  @ApiProperty({ format: 'date-time' })
  updatedAt!: string;
}

export class CreatedChannelDto extends ChannelDto {
  /** Of a webhook: the secret that signs, shown this once. */
  secret?: string;
}

export class ChannelListDto {
  items!: ChannelDto[];
}

export class ChannelTestDto {
  delivered!: boolean;
  /** What the other side answered, or why it was not reached. */
  error?: string;
}
