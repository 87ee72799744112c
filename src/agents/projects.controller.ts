import { Body, Controller, Get, Post, Query } from '@nestjs/common';
import { Endpoint } from '../platform/http/endpoint.js';
import { PageQuery } from '../platform/http/pagination.js';
import { CurrentActor, ResourceId } from '../platform/http/parameters.js';
import type { Actor } from '../platform/http/request-context.js';
import { CreateProjectDto, ProjectDto, ProjectPageDto } from './agents.dto.js';
import { Projects } from './projects.js';

@Controller('v1/projects')
export class ProjectsController {
  constructor(private readonly projects: Projects) {}

  @Post()
  @Endpoint({
    permission: 'project:create',
    audit: 'project.created',
    summary: 'Creates a project, which agents belong to.',
  })
  create(@CurrentActor() actor: Actor, @Body() body: CreateProjectDto): Promise<ProjectDto> {
    return this.projects.create(actor, body);
  }

  @Get()
  @Endpoint({
    permission: 'project:read',
    on: { rows: 'project' },
    audit: 'project.listed',
    summary: 'Lists the projects that you may read.',
  })
  list(@Query() query: PageQuery): Promise<ProjectPageDto> {
    return this.projects.list(query);
  }

  @Get(':id')
  @Endpoint({
    permission: 'project:read',
    on: { path: 'project' },
    audit: 'project.read',
    summary: 'Reads a project.',
    problems: [404],
  })
  get(@ResourceId('project') id: string): Promise<ProjectDto> {
    return this.projects.get(id);
  }
}
