import { Body, Controller, Delete, Get, HttpCode, Patch, Post, Query } from '@nestjs/common';
import { Endpoint } from '../platform/http/endpoint.js';
import { CurrentActor, IfMatch, ResourceId } from '../platform/http/parameters.js';
import type { Actor } from '../platform/http/request-context.js';
import { Agents } from './agents.js';
import { AgentDto, AgentPageDto, AgentsQuery, CreateAgentDto, UpdateAgentDto } from './agents.dto.js';

@Controller('v1/agents')
export class AgentsController {
  constructor(private readonly agents: Agents) {}

  @Post()
  @Endpoint({
    permission: 'agent:create',
    on: { body: 'projectId', names: 'project' },
    audit: 'agent.created',
    summary: 'Creates an agent as a draft.',
    problems: [404],
  })
  create(@CurrentActor() actor: Actor, @Body() body: CreateAgentDto): Promise<AgentDto> {
    return this.agents.create(actor, body);
  }

  @Get()
  @Endpoint({
    permission: 'agent:read',
    on: { rows: 'agent' },
    audit: 'agent.listed',
    summary: 'Lists the agents that you may read.',
  })
  list(@Query() query: AgentsQuery): Promise<AgentPageDto> {
    return this.agents.list(query);
  }

  @Get(':id')
  @Endpoint({
    permission: 'agent:read',
    on: { path: 'agent' },
    audit: 'agent.read',
    summary: 'Reads an agent.',
    problems: [404],
  })
  get(@ResourceId('agent') id: string): Promise<AgentDto> {
    return this.agents.get(id);
  }

  @Patch(':id')
  @Endpoint({
    permission: 'agent:update',
    on: { path: 'agent' },
    audit: 'agent.updated',
    summary: 'Changes the draft.',
    problems: [404, 412],
  })
  update(
    @ResourceId('agent') id: string,
    @Body() body: UpdateAgentDto,
    @IfMatch() version: number | undefined,
  ): Promise<AgentDto> {
    return this.agents.update(id, body, version);
  }

  @Delete(':id')
  @HttpCode(204)
  @Endpoint({
    permission: 'agent:delete',
    on: { path: 'agent' },
    audit: 'agent.deleted',
    summary: 'Deletes an agent; its runs stay.',
    problems: [404, 412],
  })
  delete(@ResourceId('agent') id: string, @IfMatch() version: number | undefined): Promise<void> {
    return this.agents.delete(id, version);
  }

  @Post(':id/publish')
  @HttpCode(200)
  @Endpoint({
    permission: 'agent:publish',
    on: { path: 'agent' },
    audit: 'agent.published',
    summary: 'Publishes the draft as the next version, which never changes.',
    problems: [404, 412],
  })
  publish(
    @CurrentActor() actor: Actor,
    @ResourceId('agent') id: string,
    @IfMatch() version: number | undefined,
  ): Promise<AgentDto> {
    return this.agents.publish(actor, id, version);
  }
}
