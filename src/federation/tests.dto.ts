import { ApiProperty } from '@nestjs/swagger';

export class OrderedTestDto {
  /** To be opened in a browser within ten minutes; works once. The sign-in opens no session. */
  url!: string;
}

export class TestMappedDto {
  email?: string;
  name?: string;
  groups!: string[];
  role!: string;
  roleBecause!: string;
  roleCapped?: string;
}

export class TestReportDto {
  @ApiProperty({ format: 'uuid' })
  id!: string;
  @ApiProperty({ format: 'date-time' })
  at!: string;
  /** Whether it would have been a sign-in. */
  works!: boolean;
  /** Why not, as events say it, and in words. */
  code?: string;
  why?: string;
  /** Who it would have been: somebody known, one who is linked by the address, or one who is added. */
  @ApiProperty({ enum: ['known', 'linked', 'added'], required: false })
  account?: string;
  /** What the provider calls the person by. */
  subject?: string;
  /** Every claim or attribute that was received, with its values. */
  @ApiProperty({ type: 'object', additionalProperties: { type: 'array', items: { type: 'string' } } })
  claims!: Record<string, string[]>;
  mapped?: TestMappedDto;
}

export class TestReportListDto {
  items!: TestReportDto[];
}
