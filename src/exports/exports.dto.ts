import { ApiProperty } from '@nestjs/swagger';
import { IsIn } from 'class-validator';
import { EventFilterDto } from '../audit/index.js';
import { Nested, Optional } from '../platform/http/fields.js';
import { FORMATS, type ExportFormat } from './export-format.js';

export class CreateExportDto {
  /** JSON Lines, an event as `GET /v1/audit/events` answers it on each; or CSV with a header. */
  @IsIn(FORMATS)
  @ApiProperty({ enum: FORMATS })
  format!: ExportFormat;

  /** As for `GET /v1/audit/events`; without it everything that is in the database. */
  @Optional()
  @Nested(() => EventFilterDto)
  filter?: EventFilterDto;
}

export class AuditExportDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;
  @ApiProperty({ enum: FORMATS })
  format!: string;
  filter!: EventFilterDto;
  /** READY can be read: `GET /v1/audit/exports/{id}/content`. */
  @ApiProperty({ enum: ['WRITING', 'READY', 'FAILED'] })
  status!: string;
  /** Why it failed. */
  error?: string;
  /** The first event that was searched: those before it are in cold storage, or gone. */
  from!: number;
  /** The last one: what was recorded after the request is not in it. */
  to!: number;
  /** Events in it, once it is READY. */
  events?: number;
  bytes?: number;
  /** Of the content, hexadecimal. */
  sha256?: string;
  @ApiProperty({ format: 'date-time' })
  createdAt!: string;
  /** From then on it is gone. */
  @ApiProperty({ format: 'date-time' })
  expiresAt!: string;
}

export class AuditExportsDto {
  /** The latest first. */
  items!: AuditExportDto[];
}
