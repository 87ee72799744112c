import { Body, Controller, Put } from '@nestjs/common';
import { Endpoint } from '../platform/http/endpoint.js';
import { IfMatch, ResourceId } from '../platform/http/parameters.js';
import { AgentDto, ProjectDto } from './agents.dto.js';
import { Agents } from './agents.js';
import { LabelsDto } from './labels.dto.js';
import { Projects } from './projects.js';

/** Policies look at labels: who may change what something is may not therefore say what it counts as. */
@Controller('v1')
export class LabelsController {
  constructor(
    private readonly projects: Projects,
    private readonly agents: Agents,
  ) {}

  @Put('projects/:id/labels')
  @Endpoint({
    permission: 'label:update',
    on: { path: 'project' },
    audit: 'project.labelled',
    summary: 'Says what a project is for, and so what is in it unless that says otherwise.',
    problems: [404, 412],
  })
  labelProject(
    @ResourceId('project') id: string,
    @Body() labels: LabelsDto,
    @IfMatch() version: number | undefined,
  ): Promise<ProjectDto> {
    return this.projects.label(id, labels, version);
  }

  @Put('agents/:id/labels')
  @Endpoint({
    permission: 'label:update',
    on: { path: 'agent' },
    audit: 'agent.labelled',
    summary: 'Says what an agent is for.',
    problems: [404, 412],
  })
  labelAgent(
    @ResourceId('agent') id: string,
    @Body() labels: LabelsDto,
    @IfMatch() version: number | undefined,
  ): Promise<AgentDto> {
    return this.agents.label(id, labels, version);
  }
}
