import { Controller, Delete, Get, HttpCode } from '@nestjs/common';
import { Endpoint } from '../platform/http/endpoint.js';
import { CurrentActor, CurrentTenant, ResourceId } from '../platform/http/parameters.js';
import type { Actor, RequestTenant } from '../platform/http/request-context.js';
import { EndSessions } from './end-sessions.js';
import { EndedSessionsDto, SessionsDto } from './sessions.dto.js';

@Controller('v1/auth/sessions')
export class OwnSessionsController {
  constructor(private readonly sessions: EndSessions) {}

  @Get()
  @Endpoint({
    permission: 'session:read',
    audit: 'session.listed',
    summary: 'Your sessions, with when and from where they were opened.',
  })
  list(@CurrentActor() actor: Actor, @CurrentTenant() tenant: RequestTenant): Promise<SessionsDto> {
    return this.sessions.own(actor, tenant);
  }

  @Delete(':id')
  @HttpCode(204)
  @Endpoint({
    permission: 'session:end',
    audit: 'session.revoked',
    summary: 'Ends one of your sessions, with its tokens.',
    problems: [404],
  })
  end(@CurrentActor() actor: Actor, @ResourceId('session') id: string): Promise<void> {
    return this.sessions.endOwn(actor, id);
  }

  @Delete()
  @HttpCode(200)
  @Endpoint({
    permission: 'session:end',
    audit: 'session.revoked',
    status: 200,
    summary: 'Ends all of your sessions but the one that asks.',
  })
  endOthers(@CurrentActor() actor: Actor): Promise<EndedSessionsDto> {
    return this.sessions.endOthers(actor);
  }
}

@Controller('v1/users/:id/sessions')
export class PersonSessionsController {
  constructor(private readonly sessions: EndSessions) {}

  @Get()
  @Endpoint({
    permission: 'user:read',
    audit: 'session.listed',
    summary: "A person's sessions.",
    problems: [404],
  })
  list(@CurrentTenant() tenant: RequestTenant, @ResourceId('user') id: string): Promise<SessionsDto> {
    return this.sessions.ofPerson(tenant, id);
  }

  @Delete()
  @HttpCode(200)
  @Endpoint({
    permission: 'user:update',
    audit: 'session.revoked',
    status: 200,
    summary: "Ends all of a person's sessions, with their tokens.",
    problems: [404],
  })
  end(@CurrentActor() actor: Actor, @ResourceId('user') id: string): Promise<EndedSessionsDto> {
    return this.sessions.endOfPerson(actor, id);
  }
}
