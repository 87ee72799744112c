import { Injectable } from '@nestjs/common';
import { currentTenant, TenantDatabase } from '../platform/database/index.js';
import type { Actor } from '../platform/http/request-context.js';
import { ACCESS_OF_USER, accessOf, type AccessRow } from './access-of-principal.js';
import type { Role } from './identity.entity.js';

/** Somebody as they would act if they signed in now: for questions about them, never for requests. */
@Injectable()
export class ActorOfPerson {
  constructor(private readonly database: TenantDatabase) {}

  /** In the organisation in scope; undefined where nobody there can sign in under this id. */
  async find(userId: string): Promise<Actor | undefined> {
    const [row] = await this.database.query<AccessRow & { role: Role } & Record<string, unknown>>({
      name: 'actor_of_person',
      text: `SELECT u.role, ${ACCESS_OF_USER} FROM users u WHERE u.id = $1 AND u.status = 'active'`,
      values: [userId],
    });
    return (
      row && {
        type: 'user',
        id: userId,
        tenant: currentTenant().id,
        roles: [row.role],
        access: accessOf(row),
      }
    );
  }
}
