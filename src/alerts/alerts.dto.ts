import { ApiProperty } from '@nestjs/swagger';
import { IsIn, IsString, MaxLength } from 'class-validator';
import { Optional } from '../platform/http/fields.js';
import { PageQuery } from '../platform/http/pagination.js';
import { ALERT_STATES, type AlertStatus } from './alert.entity.js';
import { SEVERITIES, type AlertSeverity } from './severity.js';

export class AlertsQuery extends PageQuery {
  @Optional()
  @IsIn(ALERT_STATES)
  @ApiProperty({ enum: ALERT_STATES, required: false })
  status?: AlertStatus;

  @Optional()
  @IsIn(SEVERITIES)
  @ApiProperty({ enum: SEVERITIES, required: false })
  severity?: AlertSeverity;

  /** Only alerts of this rule, such as `failed_logins.account`. */
  @Optional()
  @IsString()
  @MaxLength(100)
  rule?: string;
}

export class AlertDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;
  rule!: string;
  /** Of what it is; together with the rule unique among alerts that are not resolved. */
  key!: string;
  @ApiProperty({ enum: SEVERITIES })
  severity!: string;
  @ApiProperty({ enum: ALERT_STATES })
  status!: string;
  title!: string;
  @ApiProperty({ type: 'object', additionalProperties: true })
  details!: Record<string, unknown>;
  /** Whom it concerns; stored encrypted. */
  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' } })
  subject?: Record<string, string>;
  /** How often it was found since it was opened. */
  occurrences!: number;
  /** Positions in the audit log of the first and the last event that led to it. */
  firstSeq!: number;
  lastSeq!: number;
  @ApiProperty({ format: 'date-time' })
  openedAt!: string;
  /** Until when somebody has to acknowledge it. */
  @ApiProperty({ format: 'date-time' })
  acknowledgeBy!: string;
  /** Whether it was acknowledged in time; absent while there is time left. */
  acknowledgedInTime?: boolean;
  /** How often it was told again because nobody had acknowledged it in time. */
  escalations!: number;
  /** How often it was opened again by what was found after somebody had acknowledged it. */
  reopenings!: number;
  @ApiProperty({ format: 'date-time' })
  acknowledgedAt?: string;
  acknowledgedBy?: string;
  @ApiProperty({ format: 'date-time' })
  resolvedAt?: string;
  resolvedBy?: string;
  version!: number;
}

export class AlertPageDto {
  items!: AlertDto[];
  /** Absent on the last page. */
  nextCursor?: string;
}
