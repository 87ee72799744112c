import { Injectable } from '@nestjs/common';
import { EventRecorder, eventOfRequest } from '../audit/index.js';
import { refuseAbove } from '../auth/index.js';
import { currentTenant } from '../platform/database/index.js';
import type { AuditAction } from '../platform/events/index.js';
import { AppError } from '../platform/http/errors.js';
import {
  auditDetails,
  currentRequest,
  runInRequest,
  type Actor,
  type RequestContext,
} from '../platform/http/request-context.js';
import { Directories } from './directories.js';
import type { ReplayDto, ScimRequestDto } from './directories.dto.js';
import { ReplayRefused } from './directories.errors.js';
import type { DirectoryRow } from './directory-row.js';
import { METHODS, referencesOf, type BulkOperation } from './bulk-request.js';
import { isFields, type Json } from './protocol/evaluate-filter.js';
import { ReadScimRequests, requestDto, type ScimRequestRow } from './read-scim-requests.js';
import type { ScimCall } from './scim-call.js';
import type { ScimRequest } from './scim-requests.js';
import { Scim } from './scim.js';

const PATH = /^\/scim\/v2\/(Users|Groups)(?:\/([^/]+))?$/i;

/**
 * Runs a request of a directory again that was refused, once what was in its way is gone. It is the directory's request as
 * before, under all rules that hold for it now, with an event of its own that names who had it run.
 */
@Injectable()
export class ReplayScimRequest {
  constructor(
    private readonly requests: ReadScimRequests,
    private readonly directories: Directories,
    private readonly scim: Scim,
    private readonly events: EventRecorder,
  ) {}

  /** @throws {ResourceNotFound | GrantExceedsOwn | ReplayRefused} */
  async execute(actor: Actor, id: string, { dryRun = false }: ReplayDto): Promise<ScimRequestDto> {
    const { row, request } = await this.requests.find(id);
    auditDetails({ resource: { type: 'scim_request', id }, changes: { dryRun } });
    const directory = await this.directories.find(row.directory_id);
    // What it does it does as whoever has set the directory may.
    refuseAbove(actor, directory.highest_role);
    const kept = requireWhole(row, directory, request);
    let entry: string | undefined;
    const call: ScimCall = {
      directoryId: directory.id,
      clientId: kept.client,
      query: {},
      dryRun,
      replay: { of: id, by: actor.id, logged: (made) => (entry = made) },
      ...(kept.ifMatch !== undefined && { ifMatch: kept.ifMatch }),
    };
    await this.#run(contextOf(row, kept), call, changeOf(kept));
    if (entry === undefined) throw new Error('A request that was run again is in the log.');
    const made = await this.requests.find(entry);
    auditDetails({ changes: { dryRun, status: made.row.status, entry, directory: directory.id } });
    return requestDto(made.row, made.request);
  }

  /** That it is refused once more is an answer as well. */
  async #run(own: RequestContext, call: ScimCall, change: BulkOperation): Promise<void> {
    try {
      await runInRequest(own, () => this.scim.apply(call, change));
      if (!own.recorded) await this.events.record(own.tenant, eventOfRequest(own, 'success'));
    } catch (error) {
      if (!(error instanceof AppError) || error instanceof ReplayRefused) throw error;
      const failed = eventOfRequest(own, 'failure', error.auditCode ?? error.code);
      await this.events.record(currentTenant(), failed);
    }
  }
}

/** @throws {ReplayRefused} where there is nothing that could be run again */
function requireWhole(
  { status, dry_run: dryRun }: ScimRequestRow,
  { state }: DirectoryRow,
  request: ScimRequest | undefined,
): ScimRequest {
  if (status < 400 || dryRun)
    throw new ReplayRefused('Only what was refused is run again. This was done, or only tried.');
  if (state !== 'active') throw new ReplayRefused('The directory is disabled, and asks for nothing.');
  if (!request) throw new ReplayRefused('The person whom it is about was erased, and the request with them.');
  const { body } = request;
  if (isFields(body as Json | undefined) && (body as { truncated?: unknown }).truncated === true)
    throw new ReplayRefused('The request was too long to be kept. Have the provider send it again.');
  if (body === undefined && request.method !== 'DELETE')
    throw new ReplayRefused('Its body could not be read, and was not kept. Have the provider send it again.');
  return request;
}

function changeOf({ method, path, body }: ScimRequest): BulkOperation {
  const [, kind = '', id = ''] = PATH.exec(path) ?? [];
  const known = METHODS.find((one) => one === method);
  if (!known || kind === '' || (id === '') !== (known === 'POST'))
    throw new ReplayRefused('It is no change to one person or group.');
  const change: BulkOperation = {
    method: known,
    kind: kind.toLowerCase() === 'users' ? 'Users' : 'Groups',
    id,
    ...(body !== undefined && { data: body as Json }),
  };
  const [lost] = referencesOf(change);
  if (lost !== undefined)
    throw new ReplayRefused(
      `It refers to what another operation was to add and has not (bulkId "${lost}"). Have the provider send both again.`,
    );
  return change;
}

/** The request as its directory's, in all that its event says; whether the credential is alive that of who has it run. */
function contextOf(
  { directory_id: id, action }: ScimRequestRow,
  { method, path, body, client }: ScimRequest,
): RequestContext {
  const request = currentRequest();
  if (!request?.tenant) throw new Error('A request is run again by a request.');
  const { endpoint, tenant } = request;
  const actor: Actor = {
    type: 'directory',
    id,
    tenant: tenant.id,
    roles: [],
    ...(client !== undefined && { clientId: client }),
  };
  return Object.assign(Object.create(request) as RequestContext, {
    actor,
    method,
    path,
    body,
    audit: {},
    recorded: false,
    idempotencyKey: undefined,
    endpoint: endpoint && { ...endpoint, audit: action as AuditAction },
  });
}
