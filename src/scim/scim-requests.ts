import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { FieldEncryption, PersonErased, sealedColumn } from '../encryption/index.js';
import { currentTenant, rowsKeptFor, TenantDatabase } from '../platform/database/index.js';
import { ERROR_STATUS } from '../platform/http/errors.js';
import { BODY_LIMIT_BYTES } from '../platform/http/body.js';
import { asAppError } from '../platform/http/problem.js';
import { scimErrorOf } from '../platform/http/scim-error.js';
import { currentRequest } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { ReplayRefused } from './directories.errors.js';
import type { Replay, ScimCall } from './scim-call.js';

sealedColumn({ table: 'scim_requests', column: 'request', key: [['id', 'uuid']] });

const KEPT_DAYS = 30;
rowsKeptFor({ table: 'scim_requests', days: KEPT_DAYS });
export const KEPT = `interval '${KEPT_DAYS} days'`;
/** What is longer is kept by its length alone, unless it was refused: then it may have to be run again. */
const LONGEST_BODY = 65_536;
/** So many longer ones of a directory are kept at a time. */
const MOST_LONG = 50;

/** What a directory has asked for, and what became of it. */
export interface ScimRequest {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  /** `If-Match`. */
  readonly ifMatch?: string;
  /** The client of OAuth that spoke for the directory. */
  readonly client?: string;
  /** Why it was refused, in words. */
  readonly reason?: string;
}

interface Outcome {
  readonly status: number;
  readonly scimType?: string | undefined;
  readonly reason?: string;
  readonly dryRun: boolean;
}

/**
 * What directories have asked for in the last thirty days: every change, done or refused, with the request as it came, so
 * that an administrator can see why somebody is not there, and send it again. Requests name people: they are sealed, under
 * the person's own key where it is one person's, refused or not; the others go when anybody is erased.
 */
@Injectable()
export class ScimRequests {
  readonly #kept = new WeakSet<object>();

  constructor(
    private readonly database: TenantDatabase,
    private readonly encryption: FieldEncryption,
    private readonly work: UnitOfWork,
  ) {}

  /** In the transaction of the change itself. */
  async done(status: number, call: ScimCall): Promise<void> {
    await this.#insert({ status, dryRun: false }, call);
  }

  /**
   * Holds a request that is run again until the end of the running transaction: it is run by one at a time, and not any more
   * once it has been done.
   * @throws {ReplayRefused}
   */
  async claim(replay: Replay | undefined): Promise<void> {
    if (!replay) return;
    const held = await this.database.query({
      text: 'SELECT 1 FROM scim_requests WHERE id = $1 FOR UPDATE SKIP LOCKED',
      values: [replay.of],
    });
    if (held.length === 0)
      throw new ReplayRefused('Somebody runs this request again at this moment. Look at the log.');
    const done = await this.database.query({
      text: 'SELECT 1 FROM scim_requests WHERE replay_of = $1 AND status < 400 AND NOT dry_run LIMIT 1',
      values: [replay.of],
    });
    if (done.length > 0) throw new ReplayRefused('This request was run again already, and done.');
  }

  /** Once the change was rolled back, or never began. */
  async refused(thrown: unknown, call: ScimCall): Promise<void> {
    const error = asAppError(thrown, BODY_LIMIT_BYTES);
    const status = ERROR_STATUS[error.kind];
    // As it is answered.
    const { scimType, detail: reason } = scimErrorOf(error);
    try {
      await this.work.bookkeeping('that it was refused is told by the event of the request', () =>
        this.#insert({ status, scimType, reason, dryRun: call.dryRun }, call),
      );
    } catch (cause) {
      // What keeps a change from being made may keep it from being noted: then the first is what is answered.
      if (error.kind !== 'unavailable' && error.kind !== 'internal') throw cause;
    }
  }

  /** What was refused outside of any change; a change has kept it itself. */
  async refusedUnlessKept(thrown: unknown, call: ScimCall): Promise<void> {
    const request = currentRequest();
    if (request && !this.#kept.has(request)) await this.refused(thrown, call);
  }

  async tried(status: number, call: ScimCall): Promise<void> {
    await this.work.bookkeeping('nothing was changed, as the event of the request says', () =>
      this.#insert({ status, dryRun: true }, call),
    );
  }

  /** Under the key of the person whom it is about, done or refused. Of somebody who was erased, what was said is not kept. */
  async #sealed(row: string, kept: ScimRequest, person: string | undefined): Promise<Buffer> {
    const place = { table: 'scim_requests', column: 'request', row };
    try {
      return await this.encryption.sealJson(currentTenant(), place, kept, person);
    } catch (error) {
      if (!(error instanceof PersonErased)) throw error;
      const { body: _, ...rest } = kept;
      return this.encryption.sealJson(currentTenant(), place, rest);
    }
  }

  async #insert({ status, scimType, reason, dryRun }: Outcome, call: ScimCall): Promise<void> {
    const request = currentRequest();
    const { replay } = call;
    if (!request || request.actor.type !== 'directory') return;
    const id = uuidv7();
    this.#kept.add(request);
    const text = JSON.stringify(request.body) as string | undefined;
    const whole =
      text === undefined ||
      text.length <= LONGEST_BODY ||
      (status >= 400 && !dryRun && (await this.#hasRoom(request.actor.id)));
    const kept: ScimRequest = {
      method: request.method,
      path: request.path,
      ...(text !== undefined && {
        body: whole ? request.body : { truncated: true, length: text.length },
      }),
      ...(call.ifMatch !== undefined && { ifMatch: call.ifMatch }),
      ...(call.clientId !== undefined && { client: call.clientId }),
      ...(reason !== undefined && { reason }),
    };
    const sealed = await this.#sealed(id, kept, request.audit.subject ?? undefined);
    this.database.send({
      name: 'scim_request',
      text: `WITH old AS (DELETE FROM scim_requests WHERE created_at < now() - ${KEPT})
        INSERT INTO scim_requests (id, directory_id, action, status, scim_type, dry_run, request, replay_of, replayed_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
      values: [
        id,
        request.actor.id,
        actionOf(request),
        status,
        scimType ?? null,
        dryRun,
        sealed,
        replay?.of ?? null,
        replay?.by ?? null,
      ],
    });
    replay?.logged(id);
  }

  async #hasRoom(directory: string): Promise<boolean> {
    const [found] = await this.database.query<{ long: number }>({
      text: `SELECT count(*)::int AS long FROM scim_requests
        WHERE directory_id = $1 AND status >= 400 AND octet_length(request) > ${LONGEST_BODY}`,
      values: [directory],
    });
    return (found?.long ?? 0) < MOST_LONG;
  }
}

function actionOf({ audit, endpoint }: NonNullable<ReturnType<typeof currentRequest>>): string {
  return audit.action ?? String(endpoint?.audit);
}
