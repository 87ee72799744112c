import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { readableRows } from '../access/index.js';
import { announce, currentTenant, TenantDatabase } from '../platform/database/index.js';
import { ResourceNotFound } from '../platform/http/errors.js';
import { cursorKey, pageOf, UUID_KEY, type Page, type PageQuery } from '../platform/http/pagination.js';
import { VersionMismatch } from '../platform/http/parameters.js';
import { auditDetails, type Actor } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { ProjectEntity } from './agent.entity.js';
import type { CreateProjectDto, ProjectDto } from './agents.dto.js';
import type { LabelsDto } from './labels.dto.js';

@Injectable()
export class Projects {
  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
  ) {}

  async create(actor: Actor, { name, description = '' }: CreateProjectDto): Promise<ProjectDto> {
    return this.work.run(async () => {
      const id = uuidv7();
      auditDetails({ resource: { type: 'project', id }, changes: { name } });
      const projects = this.database.repository(ProjectEntity);
      const project = projects.create({
        id,
        name,
        description,
        environment: null,
        tags: [],
        createdBy: actor.id,
      });
      await projects.insert(project);
      return projectDto(project);
    });
  }

  async list({ cursor, limit }: PageQuery): Promise<Page<ProjectDto>> {
    const after = cursorKey(cursor, UUID_KEY);
    const readable = readableRows('project');
    const rows = await this.database
      .repository(ProjectEntity)
      .createQueryBuilder('project')
      .where(readable.sql, readable.parameters)
      .andWhere(after === undefined ? 'TRUE' : 'project.id > :after', { after })
      .orderBy('project.id')
      .limit(limit + 1)
      .getMany();
    return pageOf(rows, limit, (project) => project.id, projectDto);
  }

  async get(id: string): Promise<ProjectDto> {
    const project = await this.database.repository(ProjectEntity).findOneBy({ id });
    if (!project) throw new ResourceNotFound('project');
    auditDetails({ resource: { type: 'project', id } });
    return projectDto(project);
  }

  /** What policies look at. Every process decides by it within a second. */
  async label(
    id: string,
    { environment, tags }: LabelsDto,
    version: number | undefined,
  ): Promise<ProjectDto> {
    return this.work.run(async () => {
      const projects = this.database.repository(ProjectEntity);
      const project = await projects.findOne({ where: { id }, lock: { mode: 'pessimistic_write' } });
      if (!project) throw new ResourceNotFound('project');
      if (version !== undefined && version !== project.version) throw new VersionMismatch();
      const { environment: formerly, tags: former } = project;
      Object.assign(project, { environment, tags });
      auditDetails({
        resource: { type: 'project', id },
        changes: { environment, tags, before: { environment: formerly, tags: former } },
      });
      await this.database.query(announce({ kind: 'labels', tenant: currentTenant().id, id }));
      return projectDto(await projects.save(project));
    });
  }
}

function projectDto(project: ProjectEntity): ProjectDto {
  const { id, name, description, version, createdBy } = project;
  return {
    id,
    name,
    description,
    ...(project.environment !== null && { environment: project.environment }),
    tags: project.tags,
    version,
    createdBy,
    createdAt: project.createdAt.toISOString(),
    updatedAt: project.updatedAt.toISOString(),
  };
}
