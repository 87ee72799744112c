import { setImmediate as nextTurn } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Access, Authorizer, organisation, type PolicyVersion } from '../access/index.js';
import { SearchLog, type AuditEventDto } from '../audit/index.js';
import { auditDetails, type RequestTenant } from '../platform/http/request-context.js';
import { PastDecisions, type PastDecision, type Principals } from './past-decisions.js';
import type { ChangedDecisionDto, DryRunResultDto } from './policies.dto.js';
import { Policies } from './policies.js';

const PAGE = 200;
const DECISIONS_AT_ONCE = 20;
/** Of a log in which few events are decisions no more is read than this. */
const PAGES = 20;

/** The policies in force, and those that are tried. */
interface Compared {
  readonly inForce: PolicyVersion;
  readonly tried: PolicyVersion;
}

/** What two versions say of one decision. */
type Difference = Pick<ChangedDecisionDto, 'before' | 'after' | 'policies'>;

/**
 * What would have been decided otherwise: the last decisions of the log, made again with the policies in force and with
 * others. Shows entries of the log, and so is for who may read it.
 */
@Injectable()
export class DryRun {
  constructor(
    private readonly policies: Policies,
    private readonly log: SearchLog,
    private readonly authorizer: Authorizer,
    private readonly access: Access,
    private readonly past: PastDecisions,
  ) {}

  async execute(tenant: RequestTenant, version: number, last: number): Promise<DryRunResultDto> {
    await this.access.require('audit:read', organisation(tenant.id));
    const compared = { tried: await this.policies.version(version), inForce: await this.policies.inForce() };
    auditDetails({ resource: { type: 'access_policies', id: String(version) }, changes: { last } });
    const principals: Principals = new Map();
    const because = { principalGone: 0, resourceGone: 0, permissionGone: 0, secondFactor: 0 };
    const result: DryRunResultDto = { looked: 0, skipped: 0, skippedBecause: because, changed: [] };
    for (const [at, event] of (await this.#decisions(tenant, last)).entries()) {
      // Others are served in between.
      if (at % DECISIONS_AT_ONCE === 0) await nextTurn();
      const past = await this.past.rebuild(tenant, event, principals);
      const difference = typeof past === 'string' ? past : this.#difference(past, compared);
      if (typeof difference === 'string') {
        because[difference] += 1;
        result.skipped += 1;
        continue;
      }
      result.looked += 1;
      if (difference) result.changed.push({ ...told(event), ...difference });
    }
    return result;
  }

  /**
   * When a second factor was proved no event says: what differs by that is not told. Only a session has proved one.
   */
  #difference(past: PastDecision, compared: Compared): Difference | 'secondFactor' | undefined {
    const without = this.#compare(past, compared);
    const { question } = past;
    if (question.actor.type !== 'user') return without;
    const mfaAt = question.circumstances.at;
    const proved = { ...past, question: { ...question, actor: { ...question.actor, mfaAt } } };
    const withProof = this.#compare(proved, compared);
    return JSON.stringify(without) === JSON.stringify(withProof) ? without : 'secondFactor';
  }

  #compare(past: PastDecision, compared: Compared): Difference | undefined {
    const [before, after] = [this.#decide(past, compared.inForce), this.#decide(past, compared.tried)];
    if (before.says === after.says) return undefined;
    const otherRows = before.word === after.word;
    return {
      before: before.word,
      after: otherRows ? 'other_rows' : after.word,
      policies: [...after.policies],
    };
  }

  /** Two that say the same answer alike, lists with the same rows. */
  #decide({ question, listed }: PastDecision, policies: PolicyVersion) {
    if (!listed) {
      const { allowed, policies: deciding } = this.authorizer.decide({ ...question, policies });
      return { says: String(allowed), word: wordOf(allowed), policies: deciding };
    }
    const { condition, policies: deciding } = this.authorizer.readable({ ...question, policies }, listed);
    return { says: JSON.stringify(condition), word: wordOf(condition !== false), policies: deciding };
  }

  /** The newest first. */
  async #decisions(tenant: RequestTenant, last: number): Promise<AuditEventDto[]> {
    const found: AuditEventDto[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < PAGES && found.length < last; page += 1) {
      const { items, nextCursor } = await this.log.execute(tenant, {
        limit: PAGE,
        ...(cursor !== undefined && { cursor }),
      });
      found.push(...items.filter(({ decision }) => decision));
      if (nextCursor === undefined) break;
      cursor = nextCursor;
    }
    return found.slice(0, last);
  }
}

function wordOf(allowed: boolean): 'allowed' | 'denied' {
  return allowed ? 'allowed' : 'denied';
}

function told({ seq, at, actor, decision }: AuditEventDto): Omit<ChangedDecisionDto, keyof Difference> {
  const { permission = '', resource } = decision ?? {};
  return {
    seq,
    at,
    actor: actor.id,
    permission,
    ...(resource && { resource: `${resource.type} ${resource.id}` }),
  };
}
