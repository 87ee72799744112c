import { Injectable } from '@nestjs/common';
import { ResourceNotFound } from '../platform/http/errors.js';
import { auditDetails, type Actor } from '../platform/http/request-context.js';
import { wantedOf } from './list-query.js';
import { isWanted, project } from './protocol/project.js';
import { USER_TYPE } from './protocol/resource-types.js';
import { ScimAnswer } from './scim-answer.js';
import type { ScimCall } from './scim-call.js';
import { UserRows } from './user-rows.js';

/** What a directory says of the person who asks (RFC 7644 section 3.11). */
@Injectable()
export class OwnUser {
  constructor(private readonly rows: UserRows) {}

  async execute(actor: Actor, { query }: ScimCall): Promise<ScimAnswer> {
    const wanted = wantedOf(query);
    const id = actor.userId ?? actor.id;
    const row = await this.rows.own(id);
    if (!row) throw new ResourceNotFound('user');
    auditDetails({ resource: { type: 'user', id } });
    const [user] = await this.rows.open([row], isWanted(USER_TYPE, 'groups', wanted));
    return new ScimAnswer(200, user && project(USER_TYPE, user.resource, wanted));
  }
}
