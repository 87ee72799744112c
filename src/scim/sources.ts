import { Injectable } from '@nestjs/common';
import { LongSearches } from './long-searches.js';
import { GroupRows, type ScimGroupRow } from './group-rows.js';
import { narrowGroups } from './narrow-groups.js';
import { milliseconds } from './narrowed.js';
import { NarrowUsers } from './narrow-users.js';
import { GROUP_TYPE, USER_TYPE } from './protocol/resource-types.js';
import type { Source } from './search.js';
import { LAST_MODIFIED, UserRows, type UserRow } from './user-rows.js';

/** Where the resources of a directory are found. */
@Injectable()
export class Sources {
  constructor(
    private readonly userRows: UserRows,
    private readonly groupRows: GroupRows,
    private readonly narrowUsers: NarrowUsers,
    private readonly long: LongSearches,
  ) {}

  people(directoryId: string): Source<UserRow> {
    return {
      type: USER_TYPE,
      apart: 'groups',
      orders: {
        id: 's.id',
        'meta.created': milliseconds('s.created_at'),
        'meta.lastModified': LAST_MODIFIED,
      },
      condition: (filter) => this.narrowUsers.condition(directoryId, filter),
      count: (where) => this.userRows.count(directoryId, where),
      select: (selected) => this.userRows.select(directoryId, selected),
      open: (rows, withGroups) => this.userRows.open(rows, withGroups),
      long: () => this.long.begin(),
    };
  }

  groups(directoryId: string): Source<ScimGroupRow> {
    return {
      type: GROUP_TYPE,
      apart: 'members',
      orders: {
        id: 's.id',
        'meta.created': milliseconds('s.created_at'),
        'meta.lastModified': milliseconds('s.updated_at'),
      },
      condition: narrowGroups,
      count: (where) => this.groupRows.count(directoryId, where),
      select: (selected) => this.groupRows.select(directoryId, selected),
      open: (rows, withMembers) => this.groupRows.open(rows, withMembers),
      long: () => this.long.begin(),
    };
  }
}
