import { Injectable } from '@nestjs/common';
import { MoreThan } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { TenantDatabase } from '../platform/database/index.js';
import { cursorKey, pageOf, UUID_KEY, type Page, type PageQuery } from '../platform/http/pagination.js';
import { auditDetails, type Actor } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { ProjectEntity } from './agent.entity.js';
import type { CreateProjectDto, ProjectDto } from './agents.dto.js';

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
      const project = projects.create({ id, name, description, createdBy: actor.id });
      await projects.insert(project);
      return projectDto(project);
    });
  }

  async list({ cursor, limit }: PageQuery): Promise<Page<ProjectDto>> {
    const after = cursorKey(cursor, UUID_KEY);
    const rows = await this.database.repository(ProjectEntity).find({
      where: after ? { id: MoreThan(after) } : {},
      order: { id: 'ASC' },
      take: limit + 1,
    });
    return pageOf(rows, limit, (project) => project.id, projectDto);
  }
}

function projectDto(project: ProjectEntity): ProjectDto {
  const { id, name, description, version, createdBy } = project;
  return {
    id,
    name,
    description,
    version,
    createdBy,
    createdAt: project.createdAt.toISOString(),
    updatedAt: project.updatedAt.toISOString(),
  };
}
