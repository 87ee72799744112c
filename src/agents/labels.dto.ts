import { ApiProperty } from '@nestjs/swagger';
import { ArrayMaxSize, ArrayUnique, IsArray, IsString, Length, Matches } from 'class-validator';
import { Nullable } from '../platform/http/fields.js';

const LABEL = /^[a-z0-9][a-z0-9._-]*$/;
const FORM = 'small letters, digits, dots, hyphens and underscores';

/** What policies look at. Replaces all of it. */
export class LabelsDto {
  /** Such as `production`; `null`: none of its own. */
  @Nullable()
  @IsString()
  @Length(1, 50)
  @Matches(LABEL, { message: `environment must be of ${FORM}` })
  @ApiProperty({ type: 'string', nullable: true, minLength: 1, maxLength: 50, example: 'production' })
  environment!: string | null;

  @IsArray()
  @ArrayMaxSize(20)
  @ArrayUnique()
  @IsString({ each: true })
  @Length(1, 50, { each: true })
  @Matches(LABEL, { each: true, message: `each of tags must be of ${FORM}` })
  @ApiProperty({ type: [String], maxItems: 20, example: ['customer-facing'] })
  tags!: string[];
}
