import { Injectable } from '@nestjs/common';
import { agentDefinition, type AgentDefinition } from '@waxell/sdk';
import { IsNull, type EntityMetadata } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import { readableRows } from '../access/index.js';
import { NewRows, Sealed } from '../encryption/index.js';
import { announce, currentTenant, TenantDatabase } from '../platform/database/index.js';
import { givenFields } from '../platform/http/fields.js';
import { InvalidRequest, ResourceNotFound } from '../platform/http/errors.js';
import { cursorKey, pageOf, UUID_KEY, type Page } from '../platform/http/pagination.js';
import { VersionMismatch } from '../platform/http/parameters.js';
import { auditDetails, type Actor } from '../platform/http/request-context.js';
import { UnitOfWork } from '../requests/index.js';
import { EnforceQuotas } from '../tenancy/index.js';
import { AgentEntity, AgentVersionEntity, type ProviderKeys } from './agent.entity.js';
import type {
  AgentDto,
  AgentsQuery,
  CreateAgentDto,
  DefinitionDto,
  ProviderKeysDto,
  UpdateAgentDto,
} from './agents.dto.js';
import type { LabelsDto } from './labels.dto.js';

@Injectable()
export class Agents {
  constructor(
    private readonly database: TenantDatabase,
    private readonly work: UnitOfWork,
    private readonly quotas: EnforceQuotas,
    private readonly rows: NewRows,
  ) {}

  async create(actor: Actor, body: CreateAgentDto): Promise<AgentDto> {
    const definition = checkedDefinition(body.definition);
    return this.work.run(async () => {
      const [project] = await this.database.query({
        name: 'project_exists',
        text: 'SELECT 1 FROM projects WHERE id = $1',
        values: [body.projectId],
      });
      if (!project) throw new ResourceNotFound('project');
      await this.quotas.requireRoom('agents', () => this.count());
      const agents = this.database.repository(AgentEntity);
      const agent = agents.create({
        id: uuidv7(),
        projectId: body.projectId,
        name: body.name,
        description: body.description ?? '',
        environment: null,
        tags: [],
        definition,
        ...sealedKeys(body.apiKeys ?? {}),
        publishedVersion: null,
        createdBy: actor.id,
        deletedAt: null,
      });
      auditDetails({
        resource: { type: 'agent', id: agent.id },
        changes: { project: body.projectId, name: body.name },
      });
      await this.rows.insert(agent);
      return agentDto(agent);
    });
  }

  /** The hottest read of the API: one prepared statement under the tenant's role. */
  async get(id: string): Promise<AgentDto> {
    const [row] = await this.database.query<AgentRow & Record<string, unknown>>({
      name: 'agent',
      text: `SELECT id, project_id, name, description, environment, tags, definition, api_key_providers, published_version,
          version, created_by, created_at, updated_at FROM agents WHERE id = $1 AND deleted_at IS NULL`,
      values: [id],
    });
    if (!row) throw new ResourceNotFound('agent');
    auditDetails({ resource: { type: 'agent', id } });
    return rowDto(row);
  }

  /** Agents that are not deleted. */
  count(): Promise<number> {
    return this.database.repository(AgentEntity).countBy({ deletedAt: IsNull() });
  }

  async list({ cursor, limit, projectId }: AgentsQuery): Promise<Page<AgentDto>> {
    const after = cursorKey(cursor, UUID_KEY);
    const readable = readableRows('agent');
    const agents = this.database.repository(AgentEntity);
    const rows = await agents
      .createQueryBuilder('agent')
      // Opening keys that nobody is shown may be a call to a customer's key service for each.
      .select(shownColumns(agents.metadata))
      .where('agent.deleted_at IS NULL')
      .andWhere(readable.sql, readable.parameters)
      .andWhere(after === undefined ? 'TRUE' : 'agent.id > :after', { after })
      .andWhere(projectId === undefined ? 'TRUE' : 'agent.project_id = :projectId', { projectId })
      .orderBy('agent.id')
      .limit(limit + 1)
      .getMany();
    return pageOf(rows, limit, (agent) => agent.id, agentDto);
  }

  async update(id: string, body: UpdateAgentDto, version: number | undefined): Promise<AgentDto> {
    const definition = body.definition && checkedDefinition(body.definition);
    return this.work.run(async () => {
      const agent = await this.#locked(id, version);
      agent.name = body.name ?? agent.name;
      agent.description = body.description ?? agent.description;
      agent.definition = definition ?? agent.definition;
      if (body.apiKeys !== undefined) Object.assign(agent, sealedKeys(body.apiKeys ?? {}));
      auditDetails({ resource: { type: 'agent', id }, changes: { fields: givenFields(body) } });
      return agentDto(await this.database.repository(AgentEntity).save(agent));
    });
  }

  /** Makes the draft the version that runs use. A version, once published, never changes. */
  async publish(actor: Actor, id: string, version: number | undefined): Promise<AgentDto> {
    return this.work.run(async () => {
      const agent = await this.#locked(id, version);
      const number = (agent.publishedVersion ?? 0) + 1;
      await this.database
        .repository(AgentVersionEntity)
        .insert({ agentId: id, number, definition: agent.definition, publishedBy: actor.id });
      agent.publishedVersion = number;
      auditDetails({ resource: { type: 'agent', id }, changes: { publishedVersion: number } });
      return agentDto(await this.database.repository(AgentEntity).save(agent));
    });
  }

  /** Deleted agents are not found and cannot run; their runs and events stay, as what happened. */
  async delete(id: string, version: number | undefined): Promise<void> {
    await this.work.run(async () => {
      const agent = await this.#locked(id, version);
      agent.deletedAt = new Date();
      Object.assign(agent, sealedKeys({}));
      auditDetails({ resource: { type: 'agent', id }, changes: { name: agent.name } });
      await this.database.repository(AgentEntity).save(agent);
    });
  }

  /** What policies look at. Every process decides by it within a second. */
  async label(id: string, { environment, tags }: LabelsDto, version: number | undefined): Promise<AgentDto> {
    return this.work.run(async () => {
      const agent = await this.#locked(id, version);
      const before = { environment: agent.environment, tags: agent.tags };
      Object.assign(agent, { environment, tags });
      auditDetails({ resource: { type: 'agent', id }, changes: { environment, tags, before } });
      await this.database.query(announce({ kind: 'labels', tenant: currentTenant().id, id }));
      return agentDto(await this.database.repository(AgentEntity).save(agent));
    });
  }

  async #locked(id: string, version: number | undefined): Promise<AgentEntity> {
    const agent = await this.database
      .repository(AgentEntity)
      .findOne({ where: { id, deletedAt: IsNull() }, lock: { mode: 'pessimistic_write' } });
    if (!agent) throw new ResourceNotFound('agent');
    if (version !== undefined && version !== agent.version) throw new VersionMismatch();
    return agent;
  }
}

interface AgentRow {
  id: string;
  project_id: string;
  name: string;
  description: string;
  environment: string | null;
  tags: string[];
  definition: AgentDefinition;
  api_key_providers: string[];
  published_version: number | null;
  version: number;
  created_by: string;
  created_at: Date;
  updated_at: Date;
}

function checkedDefinition(definition: DefinitionDto): AgentDefinition {
  const checked = agentDefinition.safeParse(definition);
  if (checked.success) return checked.data;
  throw new InvalidRequest(
    checked.error.issues.map(({ path, message }) => ({
      pointer: `/definition/${path.join('/')}`,
      detail: message,
    })),
  );
}

function shownColumns({ columns }: EntityMetadata): string[] {
  const sealed: keyof AgentEntity = 'providerKeys';
  return columns.flatMap(({ propertyName }) => (propertyName === sealed ? [] : [`agent.${propertyName}`]));
}

function sealedKeys({
  openai,
  anthropic,
}: ProviderKeysDto): Pick<AgentEntity, 'providerKeys' | 'apiKeyProviders'> {
  const keys: ProviderKeys = {
    ...(openai !== undefined && { openai }),
    ...(anthropic !== undefined && { anthropic }),
  };
  const apiKeyProviders = Object.keys(keys);
  return { providerKeys: apiKeyProviders.length > 0 ? Sealed.of(keys) : null, apiKeyProviders };
}

function agentDto(agent: AgentEntity): AgentDto {
  return rowDto({
    id: agent.id,
    project_id: agent.projectId,
    name: agent.name,
    description: agent.description,
    environment: agent.environment,
    tags: agent.tags,
    definition: agent.definition,
    api_key_providers: agent.apiKeyProviders,
    published_version: agent.publishedVersion,
    version: agent.version,
    created_by: agent.createdBy,
    created_at: agent.createdAt,
    updated_at: agent.updatedAt,
  });
}

function rowDto(row: AgentRow): AgentDto {
  return {
    id: row.id,
    projectId: row.project_id,
    name: row.name,
    description: row.description,
    ...(row.environment !== null && { environment: row.environment }),
    tags: row.tags,
    status: row.published_version === null ? 'draft' : 'published',
    definition: row.definition,
    apiKeyProviders: row.api_key_providers,
    ...(row.published_version !== null && { publishedVersion: row.published_version }),
    version: row.version,
    createdBy: row.created_by,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
  };
}
