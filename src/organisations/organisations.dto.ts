import { ApiProperty } from '@nestjs/swagger';
import { IsEmail, IsString, Length, Matches, MaxLength } from 'class-validator';
import { Nested, Optional } from '../platform/http/fields.js';

export class NewOwnerDto {
  @IsEmail()
  @MaxLength(254)
  email!: string;

  /** At least 12 characters; left out, one is made and answered once. */
  @Optional()
  @IsString()
  @Length(12, 256)
  password?: string;

  @Optional()
  @IsString()
  @Length(1, 200)
  displayName?: string;
}

export class CreateOrganisationDto {
  /** Its name in URLs and headers: lower-case letters, digits and hyphens, 3 to 40 of them. */
  @Matches(/^[a-z][a-z0-9-]{1,38}[a-z0-9]$/, {
    message: 'slug must be 3 to 40 lower-case letters, digits or hyphens, and begin with a letter',
  })
  slug!: string;

  @IsString()
  @Length(1, 200)
  name!: string;

  /** Where everything of it is stored; left out, the home region. */
  @Optional()
  @IsString()
  @MaxLength(40)
  region?: string;

  @Nested(() => NewOwnerDto)
  owner!: NewOwnerDto;
}

export class OwnerDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;
  email!: string;
  /** Only where none was given; shown this once. */
  password?: string;
}

export class OrganisationDto {
  id!: string;
  slug!: string;
  name!: string;
  region!: string;
  @ApiProperty({ enum: ['creating', 'active', 'suspended', 'deleting', 'purging'] })
  status!: string;
  @ApiProperty({ format: 'date-time' })
  createdAt!: string;
  version!: number;
  /** Why it is suspended; as its own log says too. */
  suspendedReason?: string;
  /** Being deleted: when it will be purged. */
  @ApiProperty({ format: 'date-time', required: false })
  purgeAfter?: string;
}

export class CreatedOrganisationDto extends OrganisationDto {
  owner!: OwnerDto;
}

export class OrganisationPageDto {
  items!: OrganisationDto[];
  /** Absent on the last page. */
  nextCursor?: string;
}
