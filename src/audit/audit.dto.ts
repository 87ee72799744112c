import { ApiProperty, IntersectionType } from '@nestjs/swagger';
import { IsIn, IsString, IsUUID, MaxLength } from 'class-validator';
import { PageQuery } from '../platform/http/pagination.js';
import { IsTimestamp, Optional } from '../platform/http/fields.js';

/** By what events are searched for; an event that is found is as all of it says. */
export class EventFilterDto {
  /** Only events of this action, such as `agent.created`. */
  @Optional()
  @IsString()
  @MaxLength(200)
  action?: string;

  /** Only events of this actor's id. */
  @Optional()
  @IsString()
  @MaxLength(200)
  actor?: string;

  /** Only events about a resource of this type, such as `agent`. */
  @Optional()
  @IsString()
  @MaxLength(200)
  resourceType?: string;

  /** Only events about the resource of this id. */
  @Optional()
  @IsString()
  @MaxLength(200)
  resourceId?: string;

  /** Only events with this outcome. */
  @Optional()
  @IsIn(['success', 'denied', 'failure'])
  @ApiProperty({ enum: ['success', 'denied', 'failure'], required: false })
  outcome?: string;

  /** Only events of the request that was answered with this `X-Request-Id`. */
  @Optional()
  @IsString()
  @MaxLength(200)
  requestId?: string;

  /** Only events at or after this time (RFC 3339). */
  @Optional()
  @IsTimestamp()
  @ApiProperty({ format: 'date-time', required: false })
  since?: string;

  /** Only events before this time (RFC 3339). */
  @Optional()
  @IsTimestamp()
  @ApiProperty({ format: 'date-time', required: false })
  until?: string;
}

export class AuditQuery extends IntersectionType(PageQuery, EventFilterDto) {
  /** Id of a range that was loaded from cold storage: searches that range instead. */
  @Optional()
  @IsUUID()
  @ApiProperty({ format: 'uuid', required: false })
  restore?: string;
}

export class AuditActorDto {
  @ApiProperty({
    enum: [
      'user',
      'api_key',
      'client',
      'directory',
      'transmitter',
      'support',
      'operator',
      'anonymous',
      'system',
    ],
  })
  type!: string;
  id!: string;
  /** For an API key: the user whose key it is; for support: the person for whom it acts. */
  userId?: string;
  /** Where somebody signed in: the session. */
  sessionId?: string;
  /** For the system: the person or key that ordered what it does. */
  onBehalfOf?: string;
}

export class AuditResourceDto {
  type!: string;
  id!: string;
}

export class AuditRequestDto {
  id!: string;
  method!: string;
  path!: string;
}

export class AuditDecisionDto {
  /** Of a refusal: the same as in the problem that the caller got. */
  id?: string;
  permission!: string;
  /** What it was asked for; absent: the organisation. */
  resource?: AuditResourceDto;
}

export class AuditEventDto {
  /** Position in the log; starts at 1, without gaps. */
  seq!: number;
  @ApiProperty({ format: 'uuid' })
  id!: string;
  /** UTC, in microseconds. */
  @ApiProperty({ format: 'date-time' })
  at!: string;
  action!: string;
  actor!: AuditActorDto;
  @ApiProperty({ enum: ['success', 'denied', 'failure'] })
  outcome!: string;
  region!: string;
  resource?: AuditResourceDto;
  /** What changed. */
  @ApiProperty({ type: 'object', additionalProperties: true })
  changes?: Record<string, unknown>;
  request?: AuditRequestDto;
  /** Code of the problem that the caller got. */
  reason?: string;
  /** The policies that decided. */
  policies?: string[];
  /** What was asked for. */
  decision?: AuditDecisionDto;
  /** Address, user agent and body of the request; stored encrypted. */
  @ApiProperty({ type: 'object', additionalProperties: true })
  personal?: Record<string, unknown>;
  /** Present where some of that was of a person who was erased, and cannot be read by anybody any more. */
  @ApiProperty({ type: 'boolean', enum: [true], required: false })
  erased?: true;
  /** Hexadecimal link of the hash chain at this event. */
  chainHash!: string;
}

export class AuditPageDto {
  items!: AuditEventDto[];
  /** Absent on the last page. A page before it may have fewer items than asked for, where much had to be looked at. */
  nextCursor?: string;
  /** The first event that was searched: those before it are in cold storage, or are gone when their time was over. */
  from!: number;
}

export class LogHeadDto {
  seq!: number;
  chainHash!: string;
  /** RFC 6962 root over all events. */
  rootHash!: string;
}

export class FindingDto {
  seq!: number;
  id?: string;
  @ApiProperty({
    enum: [
      'event_altered',
      'columns_altered',
      'hash_altered',
      'event_missing',
      'event_inserted',
      'log_truncated',
      'head_altered',
    ],
  })
  kind!: string;
  message!: string;
}

export class VerificationDto {
  valid!: boolean;
  /** Events that were checked. */
  checked!: number;
  /** The first event that was checked: those before it were kept for their time, and are gone. */
  first!: number;
  head!: LogHeadDto;
  /** The first event that is not as it was written. */
  finding?: FindingDto;
}
