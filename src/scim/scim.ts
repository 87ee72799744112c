import { Injectable } from '@nestjs/common';
import { ResourceNotFound } from '../platform/http/errors.js';
import { UUID_KEY } from '../platform/http/pagination.js';
import { currentRequest, runInRequest, type RequestContext } from '../platform/http/request-context.js';
import { resolved, type BulkOperation } from './bulk-request.js';
import { Directories } from './directories.js';
import { listQuery, listResponse, searchQuery, wantedOf } from './list-query.js';
import { textIn, type Json } from './protocol/evaluate-filter.js';
import { PATCH_SCHEMA, readPatch } from './protocol/patch-request.js';
import { GROUP_TYPE, USER_TYPE } from './protocol/resource-types.js';
import { ProvisionGroups } from './provision-groups.js';
import { ProvisionUsers, type Asked } from './provision-users.js';
import { ScimAnswer } from './scim-answer.js';
import type { ScimCall } from './scim-call.js';
import { ScimWork } from './scim-work.js';
import { search } from './search.js';
import { Sources } from './sources.js';

export type Kind = 'Users' | 'Groups';

/** The requests of RFC 7644 to people and groups, the same for both. */
@Injectable()
export class Scim {
  constructor(
    private readonly directories: Directories,
    private readonly users: ProvisionUsers,
    private readonly groups: ProvisionGroups,
    private readonly sources: Sources,
    private readonly work: ScimWork,
  ) {}

  create(kind: Kind, call: ScimCall, body: Json | undefined): Promise<ScimAnswer> {
    return this.#change(kind, call, (of, asked) => of.create(asked, body));
  }

  async get(kind: Kind, call: ScimCall, id: string): Promise<ScimAnswer> {
    return this.#of(kind).get(await this.#asked(call), id);
  }

  replace(kind: Kind, call: ScimCall, id: string, body: Json | undefined): Promise<ScimAnswer> {
    return this.#change(kind, call, (of, asked) => of.replace(asked, id, body));
  }

  patch(kind: Kind, call: ScimCall, id: string, body: Json | undefined): Promise<ScimAnswer> {
    return this.#change(kind, call, (of, asked) => of.patch(asked, id, readPatch(body)));
  }

  remove(kind: Kind, call: ScimCall, id: string): Promise<ScimAnswer> {
    return this.#change(kind, call, (of, asked) => of.remove(asked, id));
  }

  /** The change that an operation of several means, or a request that is run again. */
  apply(call: ScimCall, operation: BulkOperation): Promise<ScimAnswer> {
    return this.#change(operation.kind, call, (of, asked) => applied(of, asked, operation));
  }

  /** A dry run of one of several: those that it refers to are added before it, and taken back with it. */
  tryAfter(needs: readonly BulkOperation[], call: ScimCall, operation: BulkOperation): Promise<ScimAnswer> {
    if (!call.dryRun) throw new Error('What is done for good is done once, by its own operation.');
    return this.work.run(
      call,
      () => this.#asked(call),
      async (asked) => {
        const ids = new Map<string, string>();
        for (const need of needs) {
          const { kind, bulkId = '', data } = resolved(need, ids);
          const made = await apart(() => this.#of(kind).create({ ...asked, ifMatch: undefined }, data));
          ids.set(bulkId, textIn(made.body ?? {}, 'id'));
        }
        return applied(this.#of(operation.kind), asked, resolved(operation, ids));
      },
    );
  }

  list(kind: Kind, call: ScimCall): Promise<ScimAnswer> {
    return this.#found(kind, call, listQuery(typeOf(kind), call.query));
  }

  search(kind: Kind, call: ScimCall, body: Json | undefined): Promise<ScimAnswer> {
    return this.#found(kind, call, searchQuery(typeOf(kind), body));
  }

  async #found(
    kind: Kind,
    { directoryId }: ScimCall,
    query: ReturnType<typeof listQuery>,
  ): Promise<ScimAnswer> {
    const found =
      kind === 'Users'
        ? await search(this.sources.people(directoryId), query)
        : await search(this.sources.groups(directoryId), query);
    return new ScimAnswer(200, listResponse(found, query));
  }

  async #change(
    kind: Kind,
    call: ScimCall,
    change: (of: ProvisionUsers | ProvisionGroups, asked: Asked) => Promise<ScimAnswer>,
  ): Promise<ScimAnswer> {
    return this.work.run(
      call,
      () => this.#asked(call),
      (asked) => change(this.#of(kind), asked),
    );
  }

  async #asked({ directoryId, clientId, query, ifMatch }: ScimCall): Promise<Asked> {
    const directory = await this.directories.acting(directoryId, clientId);
    return { directory, wanted: wantedOf(query), ...(ifMatch !== undefined && { ifMatch }) };
  }

  #of(kind: Kind): ProvisionUsers | ProvisionGroups {
    return kind === 'Users' ? this.users : this.groups;
  }
}

/** Of what is only added for another, that other's event says nothing. */
function apart<T>(work: () => T): T {
  const request = currentRequest();
  if (!request) throw new Error('A directory asks by requests.');
  return runInRequest(Object.assign(Object.create(request) as RequestContext, { audit: {} }), work);
}

/** @throws {ResourceNotFound} for what is no id */
function applied(
  of: ProvisionUsers | ProvisionGroups,
  asked: Asked,
  { method, kind, id = '', data }: BulkOperation,
): Promise<ScimAnswer> {
  if (method === 'POST') return of.create(asked, data);
  const known = id.toLowerCase();
  if (!UUID_KEY.test(known)) throw new ResourceNotFound(kind === 'Users' ? 'user' : 'group');
  if (method === 'PUT') return of.replace(asked, known, data);
  if (method === 'PATCH') return of.patch(asked, known, readPatch(asPatch(data)));
  return of.remove(asked, known);
}

/** RFC 7644 shows operations of a bulk request without what is around them elsewhere. */
function asPatch(data: Json | undefined): Json | undefined {
  return Array.isArray(data) ? { schemas: [PATCH_SCHEMA], Operations: data as readonly Json[] } : data;
}

function typeOf(kind: Kind) {
  return kind === 'Users' ? USER_TYPE : GROUP_TYPE;
}
