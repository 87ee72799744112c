import { Injectable } from '@nestjs/common';
import { TenantDatabase } from '../platform/database/index.js';
import { ResourceNotFound } from '../platform/http/errors.js';
import { auditDetails, type Actor, type RequestTenant } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { signInRules } from '../sign-in/index.js';
import { Authority } from './authority.js';
import { UserEntity } from './identity.entity.js';
import { SessionList } from './session-list.js';
import type { EndedSessionsDto, SessionsDto } from './sessions.dto.js';

/** Looking at sessions and ending them: one's own, and as an administrator those of others. */
@Injectable()
export class EndSessions {
  constructor(
    private readonly database: TenantDatabase,
    private readonly sessions: SessionList,
    private readonly work: UnitOfWork,
    private readonly authority: Authority,
  ) {}

  async own(actor: Actor, tenant: RequestTenant): Promise<SessionsDto> {
    const items = await this.sessions.of(personOf(actor), signInRules(tenant), actor.sessionId);
    return { items };
  }

  /** Ending one that is over is no error: it is over either way. */
  async endOwn(actor: Actor, id: string): Promise<void> {
    await this.work.run(async () => {
      if (!(await this.sessions.end(personOf(actor), id))) throw new ResourceNotFound('session');
      auditDetails({ resource: { type: 'session', id } });
    });
  }

  async endOthers(actor: Actor): Promise<EndedSessionsDto> {
    const person = personOf(actor);
    return this.work.run(async () => {
      const ended = await this.sessions.endAll(person, actor.sessionId);
      auditDetails({ resource: { type: 'user', id: person }, changes: { ended } });
      return { ended };
    });
  }

  async ofPerson(tenant: RequestTenant, id: string): Promise<SessionsDto> {
    const person = await this.database.repository(UserEntity).findOneBy({ id });
    if (!person) throw new ResourceNotFound('user');
    auditDetails({ resource: { type: 'user', id } });
    return { items: await this.sessions.of(id, signInRules(tenant), undefined) };
  }

  async endOfPerson(actor: Actor, id: string): Promise<EndedSessionsDto> {
    return this.work.run(async () => {
      const person = await this.database.repository(UserEntity).findOneBy({ id });
      if (!person) throw new ResourceNotFound('user');
      await this.authority.overPerson(actor, person);
      const ended = await this.sessions.endAll(id);
      auditDetails({ resource: { type: 'user', id }, changes: { ended } });
      return { ended };
    });
  }
}

/** Whose sessions: an API key asks for those of its person. */
function personOf(actor: Actor): string {
  return actor.userId ?? actor.id;
}
