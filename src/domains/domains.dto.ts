import { ApiProperty } from '@nestjs/swagger';
import { IsBoolean, IsString, Length } from 'class-validator';

export class AddDomainDto {
  /** Such as `example.com`. Its sub-domains are domains of their own. */
  @IsString()
  @Length(4, 253)
  name!: string;
}

export class UpdateDomainDto {
  /** Whether people whose e-mail address is of this domain must sign in through a connection; passwords are refused. */
  @IsBoolean()
  ssoRequired!: boolean;
}

export class DnsRecordDto {
  @ApiProperty({ enum: ['TXT'] })
  type!: 'TXT';
  host!: string;
  value!: string;
}

export class DomainDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;
  name!: string;
  /** `verified`: it is this organisation's, and no other can have it. */
  @ApiProperty({ enum: ['pending', 'verified'] })
  state!: 'pending' | 'verified';
  @ApiProperty({ format: 'date-time', required: false })
  verifiedAt?: string;
  ssoRequired!: boolean;
  /** What has to be in the DNS for the domain to be verified. */
  record!: DnsRecordDto;
  version!: number;
  createdBy!: string;
  @ApiProperty({ format: 'date-time' })
  createdAt!: string;
}

export class DomainListDto {
  items!: DomainDto[];
}
