import { ApiProperty } from '@nestjs/swagger';
import { Type as Transform } from 'class-transformer';
import { IsInt, IsString, Max, MaxLength, Min } from 'class-validator';
import { InvalidRequest } from './errors.js';
import { Optional } from './fields.js';

/** The query of every list: newest last, page by page. */
export class PageQuery {
  @ApiProperty({
    required: false,
    maxLength: 200,
    description: 'Where to go on: `nextCursor` of the page before.',
  })
  @Optional()
  @IsString()
  @MaxLength(200)
  cursor?: string;

  @ApiProperty({
    required: false,
    type: 'integer',
    minimum: 1,
    maximum: 200,
    default: 50,
    description: 'Items per page.',
  })
  @Optional()
  @Transform(() => Number)
  @IsInt()
  @Min(1)
  @Max(200)
  limit: number = 50;
}

export interface Page<T> {
  items: T[];
  /** Absent on the last page. */
  nextCursor?: string;
}

/** Makes a page of the rows found, of which one more than asked for was read: it tells whether there is a next page. */
export function pageOf<Row, T>(
  rows: readonly Row[],
  limit: number,
  keyOf: (row: Row) => string,
  dto: (row: Row) => T,
): Page<T> {
  const kept = rows.slice(0, limit);
  const last = kept.at(-1);
  const more = rows.length > limit && last !== undefined;
  return {
    items: kept.map(dto),
    ...(more && { nextCursor: cursorOf(keyOf(last)) }),
  };
}

/** The cursor of the page that begins after a key. */
export function cursorOf(key: string): string {
  return Buffer.from(key).toString('base64url');
}

/** The key after which to go on. Cursors are opaque to callers and checked like all that they send. */
export function cursorKey(cursor: string | undefined, pattern: RegExp): string | undefined {
  if (cursor === undefined) return undefined;
  const key = Buffer.from(cursor, 'base64url').toString('utf8');
  if (!pattern.test(key)) {
    throw new InvalidRequest([{ pointer: 'cursor', detail: 'cursor must be a nextCursor of this list' }]);
  }
  return key;
}

export const UUID_KEY = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
