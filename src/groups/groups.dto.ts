import { ApiProperty } from '@nestjs/swagger';
import { ArrayMaxSize, IsArray, IsString, IsUUID, Length } from 'class-validator';
import { Optional } from '../platform/http/fields.js';

/** As many as a body of 1 MiB holds, and more than a hand can list. */
const AT_ONCE = 10_000;

export class GroupFieldsDto {
  /** One group's in the organisation, whatever its case. */
  @IsString()
  @Length(1, 256)
  displayName!: string;
}

/** Of people and groups: what is named in neither list stays. */
export class ChangeMembersDto {
  /** Ids of people. Whoever is in it already stays in it. */
  @Optional()
  @IsArray()
  @ArrayMaxSize(AT_ONCE)
  @IsUUID(undefined, { each: true })
  @ApiProperty({ type: [String], required: false })
  addPeople?: string[];

  /** Ids of people. Whoever is not in it is left out of it. */
  @Optional()
  @IsArray()
  @ArrayMaxSize(AT_ONCE)
  @IsUUID(undefined, { each: true })
  @ApiProperty({ type: [String], required: false })
  removePeople?: string[];

  /** Ids of groups: whoever is in them is in this one too. */
  @Optional()
  @IsArray()
  @ArrayMaxSize(1_000)
  @IsUUID(undefined, { each: true })
  @ApiProperty({ type: [String], required: false })
  addGroups?: string[];

  @Optional()
  @IsArray()
  @ArrayMaxSize(1_000)
  @IsUUID(undefined, { each: true })
  @ApiProperty({ type: [String], required: false })
  removeGroups?: string[];
}

export class GroupDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;
  displayName!: string;
  /** What the directory calls it that provides it. */
  externalId?: string;
  /** The directory that provides it; absent: it is looked after by hand. */
  @ApiProperty({ format: 'uuid', required: false })
  directory?: string;
  /** How many people are in it directly. */
  @ApiProperty({ type: 'integer' })
  people!: number;
  version!: number;
  createdBy!: string;
  @ApiProperty({ format: 'date-time' })
  createdAt!: string;
  @ApiProperty({ format: 'date-time' })
  updatedAt!: string;
}

export class GroupPageDto {
  items!: GroupDto[];
  /** Absent on the last page. */
  nextCursor?: string;
}

/** A person in a group. */
export class GroupMemberDto {
  @ApiProperty({ format: 'uuid' })
  userId!: string;
  @ApiProperty({ format: 'date-time' })
  addedAt!: string;
}

export class GroupMemberPageDto {
  items!: GroupMemberDto[];
  /** Absent on the last page. */
  nextCursor?: string;
}

export class SubgroupListDto {
  /** Ids of the groups that are in it directly. */
  @ApiProperty({ type: [String] })
  items!: string[];
}
