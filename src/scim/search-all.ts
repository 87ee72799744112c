import { Injectable } from '@nestjs/common';
import { listResponse, searchQuery, type Found, type ListQuery } from './list-query.js';
import type { Json } from './protocol/evaluate-filter.js';
import { GROUP_TYPE, USER_TYPE } from './protocol/resource-types.js';
import type { ResourceType } from './protocol/schema.js';
import { ScimError } from './protocol/scim.errors.js';
import { ScimAnswer } from './scim-answer.js';
import type { ScimCall } from './scim-call.js';
import { search } from './search.js';
import { Sources } from './sources.js';

const NOTHING: Found = { resources: [], total: 0 };

/** A search of everything (RFC 7644 section 3.4.3): people first, then groups. */
@Injectable()
export class SearchAll {
  constructor(private readonly sources: Sources) {}

  async execute({ directoryId }: ScimCall, body: Json | undefined): Promise<ScimAnswer> {
    const [ofPeople, ofGroups] = [USER_TYPE, GROUP_TYPE].map((type) => queryOf(type, body));
    const query = ofPeople instanceof ScimError ? ofGroups : ofPeople;
    if (!query || query instanceof ScimError) throw query ?? new Error('There is no type of resources.');
    if (query.cursor !== undefined)
      throw new ScimError('invalidValue', 'Pages of everything are told by "startIndex", not by "cursor".');
    const people =
      ofPeople && !(ofPeople instanceof ScimError)
        ? await search(this.sources.people(directoryId), ofPeople)
        : NOTHING;
    const before = people.total ?? 0;
    const rest = {
      startIndex: Math.max(1, query.startIndex - before),
      count: query.count - people.resources.length,
    };
    const groups =
      ofGroups && !(ofGroups instanceof ScimError)
        ? await search(this.sources.groups(directoryId), { ...ofGroups, ...rest })
        : NOTHING;
    const found: Found = {
      resources: [...people.resources, ...groups.resources],
      total: before + (groups.total ?? 0),
    };
    return new ScimAnswer(200, listResponse(found, query));
  }
}

/** What only the other type has fits nothing of this one. */
function queryOf(type: ResourceType, body: Json | undefined): ListQuery | ScimError {
  try {
    return searchQuery(type, body);
  } catch (error) {
    if (error instanceof ScimError) return error;
    throw error;
  }
}
