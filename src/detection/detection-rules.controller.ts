import { Body, Controller, Get, Param, Put } from '@nestjs/common';
import { Endpoint } from '../platform/http/endpoint.js';
import { CurrentActor, IfMatch } from '../platform/http/parameters.js';
import type { Actor } from '../platform/http/request-context.js';
import { DetectionRules } from './detection-rules.js';
import { RuleDto, RuleListDto, SetRuleDto } from './detection-rules.dto.js';

@Controller('v1/detection/rules')
export class DetectionRulesController {
  constructor(private readonly rules: DetectionRules) {}

  @Get()
  @Endpoint({
    permission: 'detection_rule:read',
    audit: 'detection_rule.listed',
    summary: 'Lists the rules that look at the audit log, and how they are set.',
  })
  list(): Promise<RuleListDto> {
    return this.rules.list();
  }

  @Put(':rule')
  @Endpoint({
    permission: 'detection_rule:update',
    audit: 'detection_rule.updated',
    summary: 'Sets a rule: whether it is applied, its threshold and window, and how severe its alerts are.',
    problems: [404, 412],
  })
  set(
    @CurrentActor() actor: Actor,
    @Param('rule') rule: string,
    @Body() body: SetRuleDto,
    @IfMatch() version: number | undefined,
  ): Promise<RuleDto> {
    return this.rules.set(actor, rule, body, version);
  }
}
