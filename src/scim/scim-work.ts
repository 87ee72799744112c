import { Injectable } from '@nestjs/common';
import { auditDetails, currentRequest } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import type { Fields } from './protocol/evaluate-filter.js';
import { ScimAnswer } from './scim-answer.js';
import type { ScimCall } from './scim-call.js';
import { ReplayRefused } from './directories.errors.js';
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

  /** @param read what is read before the transaction begins, so that nobody waits for it in there */
  async run<T>(
    call: ScimCall,
    read: () => Promise<T>,
    change: (known: T) => Promise<ScimAnswer>,
  ): Promise<ScimAnswer> {
    try {
      const known = await read();
      return await this.work.run(async () => {
        await this.requests.claim(call.replay);
        const answer = await change(known);
        noteReplay(call);
        if (call.dryRun) throw new Tried(answer, currentRequest()?.audit.changes);
        await this.requests.done(answer.status, call);
        return answer;
      });
    } catch (error) {
      if (error instanceof Tried) return this.#tried(error, call);
      if (error instanceof ReplayRefused) throw error;
      await this.requests.refused(error, call);
      throw error;
    }
  }

  async #tried({ answer, changes }: Tried, call: ScimCall): Promise<ScimAnswer> {
    await this.requests.tried(answer.status, call);
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

/** The event of the change says that it was not the directory that asked, and who did. */
function noteReplay({ replay }: ScimCall): void {
  if (!replay) return;
  const changes = currentRequest()?.audit.changes;
  auditDetails({ changes: { ...changes, replayOf: replay.of, replayedBy: replay.by } });
}
