import { ApiProperty } from '@nestjs/swagger';
import { IsBoolean, IsIn, IsInt, Max, Min } from 'class-validator';
import { SEVERITIES, type AlertSeverity } from '../alerts/index.js';
import { RULE_NAMES } from './rule-catalogue.js';

/** All of it: what is left out would be a guess. */
export class SetRuleDto {
  @IsBoolean()
  enabled!: boolean;

  @IsIn(SEVERITIES)
  @ApiProperty({ enum: SEVERITIES })
  severity!: AlertSeverity;

  /** How many it takes; for `unusual.rate`, how many times the usual. */
  @IsInt()
  @Min(1)
  @Max(1_000_000)
  threshold!: number;

  /** Seconds within which they count, and for which the same is not found again. */
  @IsInt()
  @Min(60)
  @Max(604_800)
  windowSeconds!: number;
}

export class RuleDto extends SetRuleDto {
  @ApiProperty({ enum: RULE_NAMES })
  rule!: string;
  /** What is counted. */
  means!: string;
  /** 0 while the defaults hold. */
  version!: number;
}

export class RuleListDto {
  items!: RuleDto[];
}
