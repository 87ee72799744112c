import { ApiProperty } from '@nestjs/swagger';
import { IsBoolean, IsIn, IsInt, IsString, IsUrl, Length, Max, MaxLength, Min } from 'class-validator';
import { ROLES } from '../auth/index.js';
import { Optional } from '../platform/http/fields.js';
import { STREAM_STATUSES } from './transmitter-row.js';

const URL_OPTIONS = {
  protocols: ['http', 'https'],
  require_protocol: true,
  require_tld: false,
  disallow_auth: true,
};
const STATES = ['active', 'disabled'] as const;

class TransmitterFieldsDto {
  /** Where its keys are, a JWKS; if not given, what it publishes at `/.well-known/ssf-configuration` says it. */
  @Optional()
  @IsUrl(URL_OPTIONS)
  @MaxLength(1_000)
  jwksUri?: string;

  /** Whether it may name people by an e-mail address of a verified domain; by subjects of a connection alone, if not. */
  @Optional()
  @IsBoolean()
  emailSubjects?: boolean;
}

export class CreateTransmitterDto extends TransmitterFieldsDto {
  @IsString()
  @Length(1, 200)
  name!: string;

  /** `iss` of what it signs, exactly. */
  @IsUrl(URL_OPTIONS)
  @MaxLength(1_000)
  issuer!: string;

  /** `aud` of what it signs for you: what you name yourself by there. */
  @IsString()
  @Length(1, 1_000)
  audience!: string;
}

export class UpdateTransmitterDto extends TransmitterFieldsDto {
  @Optional()
  @IsString()
  @Length(1, 200)
  name?: string;

  @Optional()
  @IsString()
  @Length(1, 1_000)
  audience?: string;

  /** `disabled`: its token works no more. */
  @Optional()
  @IsIn(STATES)
  @ApiProperty({ enum: STATES, required: false })
  state?: 'active' | 'disabled';
}

export class RotateTransmitterTokenDto {
  /** Seconds for which the former token goes on; a day where nothing is said, a week at most. */
  @Optional()
  @IsInt()
  @Min(0)
  @Max(604_800)
  overlapSeconds?: number;
}

/** What the last verification event said. */
export class StreamVerificationDto {
  /** What was sent along when it was asked for; empty where nothing was. */
  state!: string;
  @ApiProperty({ format: 'date-time' })
  at!: string;
}

/** What the transmitter has last said of the stream. */
export class StreamStatusDto {
  @ApiProperty({ enum: STREAM_STATUSES })
  status!: string;
  @ApiProperty({ format: 'date-time' })
  at!: string;
}

export class TransmitterDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;
  name!: string;
  @ApiProperty({ enum: STATES })
  state!: string;
  issuer!: string;
  audience!: string;
  jwksUri!: string;
  emailSubjects!: boolean;
  /** Of whoever set it last: it ends nothing of somebody who holds more. */
  @ApiProperty({ enum: ROLES })
  highestRole!: string;
  /** What is entered at the transmitter as the endpoint of push delivery (RFC 8935). */
  deliveryUrl!: string;
  /** The beginning of its token. */
  tokenPrefix!: string;
  /** Until when the token from before the last rotation goes on. */
  @ApiProperty({ format: 'date-time', required: false })
  formerTokenUntil?: string;
  @ApiProperty({ format: 'date-time', required: false })
  lastUsedAt?: string;
  verification?: StreamVerificationDto;
  stream?: StreamStatusDto;
  version!: number;
  createdBy!: string;
  @ApiProperty({ format: 'date-time' })
  createdAt!: string;
  @ApiProperty({ format: 'date-time' })
  updatedAt!: string;
}

export class TokenOfTransmitterDto extends TransmitterDto {
  /** Shown this once: the transmitter sends it as `Authorization: Bearer`. */
  token!: string;
}

export class TransmitterListDto {
  items!: TransmitterDto[];
}
