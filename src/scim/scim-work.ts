import { Injectable } from '@nestjs/common';
import { AppError } from '../platform/http/errors.js';
import { auditDetails, currentRequest } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import type { Fields } from './protocol/evaluate-filter.js';
import { ScimAnswer } from './scim-answer.js';
import { ScimRequests } from './scim-requests.js';

const DRY_RUN_SCHEMA = 'urn:waxell:params:scim:api:messages:2.0:DryRun';

/** Carries what would have been answered out of a transaction that is rolled back. */
class Tried extends Error {
  constructor(
    readonly answer: ScimAnswer,
    readonly changes: Record<string, unknown> | undefined,
  ) {
    super('A dry run is rolled back.');
  }
}

/**
 * One change that a directory asks for: it commits with its event and its entry among the directory's requests, or is
 * refused with its reason there. A dry run does all of it, answers what it would have come to, and takes it back.
 */
@Injectable()
export class ScimWork {
  constructor(
    private readonly work: UnitOfWork,
    private readonly requests: ScimRequests,
  ) {}

  async run(dryRun: boolean, change: () => Promise<ScimAnswer>): Promise<ScimAnswer> {
    try {
      return await this.work.run(async () => {
        const answer = await change();
        if (dryRun) throw new Tried(answer, currentRequest()?.audit.changes);
        await this.requests.done(answer.status);
        return answer;
      });
    } catch (error) {
      if (error instanceof Tried) return this.#tried(error);
      if (error instanceof AppError) await this.requests.refused(error);
      throw error;
    }
  }

  async #tried({ answer, changes }: Tried): Promise<ScimAnswer> {
    await this.requests.tried(answer.status);
    auditDetails({ action: 'scim.tried', changes });
    const body: Fields = {
      schemas: [DRY_RUN_SCHEMA],
      status: String(answer.status),
      ...(changes && { changes: changes as Fields }),
      ...(answer.body && { response: answer.body }),
    };
    return new ScimAnswer(200, body);
  }
}
