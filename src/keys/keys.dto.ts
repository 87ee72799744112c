import { ApiProperty } from '@nestjs/swagger';
import { IsIn, IsInt, IsString, Length, Matches, Max, Min } from 'class-validator';
import { Optional } from '../platform/http/fields.js';

export const SHORTEST_WAIT_DAYS = 7;
const LONGEST_WAIT_DAYS = 30;

export const KEY_MODES = ['envelope', 'hold'] as const;
export type KeyMode = (typeof KEY_MODES)[number];

export class KeyDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;
  /** `field` keys seal values, `index` keys the blind indexes by which values are found. */
  @ApiProperty({ enum: ['field', 'index'] })
  purpose!: string;
  /**
   * `current`: in use. `opens`: seals no more, and is needed to read. `filling`, `draining`: an index that is being built
   * or taken away. `retired`: needed for events of the log and exports alone. `destroyed`.
   */
  @ApiProperty({ enum: ['current', 'opens', 'filling', 'draining', 'retired', 'destroyed'] })
  state!: string;
  @ApiProperty({ format: 'date-time' })
  createdAt!: string;
  @ApiProperty({ type: 'integer' })
  ageDays!: number;
}

export class KeyRotationDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;
  @ApiProperty({ enum: ['running', 'done', 'failed'] })
  status!: string;
  /** `version`, `persons`, `rewrap`, `fill`, `switch`, `clear`, `retire`; see docs/operations/keys.md. */
  step!: string;
  /** Stored values that have come under the new key so far. */
  @ApiProperty({ type: 'integer' })
  values!: number;
  /** Values that cannot be opened, and stay as they are. */
  @ApiProperty({ type: 'integer' })
  unreadable!: number;
  /** Why the present step is repeated, or why it failed. */
  error?: string;
  @ApiProperty({ format: 'date-time' })
  createdAt!: string;
  @ApiProperty({ format: 'date-time' })
  finishedAt?: string;
}

export class KeyDeletionDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;
  @ApiProperty({ format: 'date-time' })
  scheduledAt!: string;
  /** Until then it can be cancelled. */
  @ApiProperty({ format: 'date-time' })
  destroyAfter!: string;
}

export class KeysDto {
  /** `platform`: the key in the KMS was made for you and is kept by us; `customer`: it is yours. */
  @ApiProperty({ enum: ['platform', 'customer'] })
  custody!: string;
  /** The ARN of your key, while one is attached. */
  customerKey?: string;
  /** How it is used, while one is attached. */
  @ApiProperty({ enum: KEY_MODES, required: false })
  mode?: KeyMode;
  /** The latest last. */
  items!: KeyDto[];
  /** Values that the current field key has sealed, counted in blocks and ahead. */
  @ApiProperty({ type: 'integer' })
  seals!: number;
  @ApiProperty({ type: 'integer' })
  rotateAfterDays!: number;
  /** Absent until the current key has sealed something. */
  @ApiProperty({ format: 'date-time' })
  rotateAt?: string;
  /** The latest rotation of the last 90 days. */
  rotation?: KeyRotationDto;
  /** While one is scheduled. */
  deletion?: KeyDeletionDto;
}

export class UpdateKeysDto {
  /** The age, in days, at which keys are replaced. */
  @IsInt()
  @Min(1)
  @Max(365)
  @ApiProperty({ type: 'integer', minimum: 1, maximum: 365 })
  rotateAfterDays!: number;
}

export class AttachKeyDto {
  /** The ARN of a symmetric key in AWS KMS, of your own account and of the region that your organisation is in. */
  @IsString()
  @Length(20, 200)
  @Matches(/^arn:aws[a-z-]{0,16}:kms:[a-z0-9-]{5,20}:\d{12}:key\/[A-Za-z0-9-]{1,64}$/, {
    message: 'arn must be the ARN of a key, arn:aws:kms:REGION:ACCOUNT:key/ID',
  })
  arn!: string;

  /**
   * `envelope`: it is asked once in 45 seconds and process, for the key that seals your values. `hold`: it is asked for each
   * value, which makes each read and write of it slower, and each use visible to you.
   */
  @Optional()
  @IsIn(KEY_MODES)
  @ApiProperty({ enum: KEY_MODES, required: false, default: 'envelope' })
  mode?: KeyMode;
}

export class DeleteKeysDto {
  /** Days in which it can be cancelled. */
  @IsInt()
  @Min(SHORTEST_WAIT_DAYS)
  @Max(LONGEST_WAIT_DAYS)
  @ApiProperty({ type: 'integer', minimum: SHORTEST_WAIT_DAYS, maximum: LONGEST_WAIT_DAYS })
  waitDays!: number;

  /** The organisation's slug: what you are about to destroy. */
  @IsString()
  @Length(1, 40)
  confirm!: string;
}
