import { Injectable } from '@nestjs/common';
import { TenantDatabase } from '../platform/database/index.js';
import { ResourceNotFound } from '../platform/http/errors.js';
import { VersionMismatch } from '../platform/http/parameters.js';
import { auditDetails, type Actor } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import type { RuleDto, RuleListDto, SetRuleDto } from './detection-rules.dto.js';
import {
  defaultsOf,
  isRule,
  RULE_NAMES,
  RULES,
  type DetectionSettings,
  type RuleName,
  type RuleSettings,
} from './rule-catalogue.js';

interface Row extends Record<string, unknown> {
  rule: string;
  settings: RuleSettings;
  version: number;
}

/** How the rules are set for the organisation in scope. */
@Injectable()
export class DetectionRules {
  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
  ) {}

  /** What is set; for all else the defaults hold. */
  async settings(): Promise<DetectionSettings> {
    return new Map(
      (await this.#rows()).flatMap(({ rule, settings }) => (isRule(rule) ? [[rule, settings] as const] : [])),
    );
  }

  async list(): Promise<RuleListDto> {
    const rows = new Map((await this.#rows()).map((row) => [row.rule, row]));
    return { items: RULE_NAMES.map((rule) => ruleDto(rule, rows.get(rule))) };
  }

  /** @throws {ResourceNotFound} for a rule that there is not */
  async set(actor: Actor, rule: string, body: SetRuleDto, version: number | undefined): Promise<RuleDto> {
    if (!isRule(rule)) throw new ResourceNotFound('rule');
    const { enabled, severity, threshold, windowSeconds } = body;
    const settings = { enabled, severity, threshold, windowSeconds };
    return this.work.run(async () => {
      auditDetails({ resource: { type: 'detection_rule', id: rule }, changes: settings });
      const [row] = await this.database.query<Row>({
        text: `INSERT INTO detection_rules AS r (rule, settings, updated_by) VALUES ($1, $2, $3)
          ON CONFLICT (rule) DO UPDATE SET settings = $2, updated_by = $3, updated_at = now(), version = r.version + 1
          RETURNING rule, settings, version`,
        values: [rule, JSON.stringify(settings), actor.id],
      });
      // Of the version before: 0 where the defaults held.
      if (!row || (version !== undefined && version !== row.version - 1)) throw new VersionMismatch();
      return ruleDto(rule, row);
    });
  }

  #rows(): Promise<Row[]> {
    return this.database.query<Row>({
      name: 'detection_rules',
      text: 'SELECT rule, settings, version FROM detection_rules',
      values: [],
    });
  }
}

function ruleDto(rule: RuleName, row: Row | undefined): RuleDto {
  const { means } = RULES[rule];
  return { rule, means, ...(row?.settings ?? defaultsOf(rule)), version: row?.version ?? 0 };
}
