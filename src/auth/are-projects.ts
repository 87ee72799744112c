import { applyDecorators } from '@nestjs/common';
import { ApiProperty } from '@nestjs/swagger';
import { ArrayMaxSize, ArrayNotEmpty, ArrayUnique, IsArray, Matches } from 'class-validator';
import { UUID_KEY } from '../platform/http/pagination.js';

/** A decision looks at each of them; the tables hold no more either. */
const MOST = 50;

/** The ids of projects in which something may be done, written as the database writes them. */
export function AreProjects({ nullable = false }: { nullable?: boolean } = {}): PropertyDecorator {
  return applyDecorators(
    IsArray(),
    ArrayNotEmpty(),
    ArrayMaxSize(MOST),
    ArrayUnique(),
    Matches(UUID_KEY, { each: true, message: 'each of $property must be the id of a project' }),
    ApiProperty({ type: [String], format: 'uuid', required: false, nullable, maxItems: MOST }),
  );
}
