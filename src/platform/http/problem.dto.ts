import { ApiProperty } from '@nestjs/swagger';

export class FieldErrorDto {
  @ApiProperty({ description: 'JSON Pointer into the body, or the name of a parameter.' })
  pointer!: string;

  @ApiProperty({ description: 'What is wrong with it.' })
  detail!: string;
}

export class QuotaLimitDto {
  @ApiProperty()
  name!: string;

  @ApiProperty()
  limit!: number;

  @ApiProperty({ format: 'date-time', required: false, description: 'When it begins anew by itself.' })
  resetsAt?: string;
}

export class RegionPlaceDto {
  @ApiProperty()
  name!: string;

  @ApiProperty({ required: false, description: 'Base URL under which it is served.' })
  url?: string;
}

export class DeniedAccessDto {
  @ApiProperty({ description: 'Name it to whoever is to look into the refusal; it is in the event too.' })
  decisionId!: string;

  @ApiProperty({ required: false, description: 'Absent where it is more than one.' })
  permission?: string;

  @ApiProperty({ required: false, description: 'The least of the default roles that has the permission.' })
  role?: string;

  @ApiProperty({ description: 'Who could give it.' })
  askFor!: string;
}

/** RFC 9457 problem details. */
export class ProblemDto {
  @ApiProperty({ format: 'uri' })
  type!: string;

  @ApiProperty()
  title!: string;

  @ApiProperty({ minimum: 400, maximum: 599 })
  status!: number;

  @ApiProperty({ description: 'Stable name of the problem, for programs.' })
  code!: string;

  @ApiProperty({ description: 'What happened and what to do, for people.' })
  detail!: string;

  @ApiProperty({ description: 'Name it when you report the problem.' })
  requestId!: string;

  @ApiProperty({ type: [FieldErrorDto], required: false })
  errors?: FieldErrorDto[];

  @ApiProperty({ required: false, description: 'The quota that is used up.' })
  quota?: QuotaLimitDto;
  @ApiProperty({ required: false, description: 'Where the request belongs.' })
  region?: RegionPlaceDto;
  @ApiProperty({ required: false, description: 'What was refused, and whom to ask for it.' })
  access?: DeniedAccessDto;
}
