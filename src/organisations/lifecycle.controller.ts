import { Body, Controller, Delete, Get, HttpCode, Patch, Post, Res } from '@nestjs/common';
import { ApiOkResponse } from '@nestjs/swagger';
import { ObservedOperations, type ObservedOperation } from '../operations/index.js';
import type { TenantId } from '../platform/database/index.js';
import { Endpoint } from '../platform/http/endpoint.js';
import { IfMatch } from '../platform/http/parameters.js';
import type { JsonLines } from '../platform/http/streamed-answer.js';
import { auditDetails } from '../platform/http/request-context.js';
import { OrganisationId } from '../tenancy/index.js';
import { DeleteOrganisation } from './delete-organisation.js';
import { KnownOrganisations } from './known-organisations.js';
import {
  DeleteOrganisationDto,
  OperationsDto,
  SuspendOrganisationDto,
  UpdateOrganisationDto,
  UsageReportDto,
  type OperationDto,
} from './lifecycle.dto.js';
import { organisationDto } from './organisation-dto.js';
import { OrganisationDto } from './organisations.dto.js';
import { ReadExport } from './read-export.js';
import { ReadUsage } from './read-usage.js';
import { SuspendOrganisation } from './suspend-organisation.js';
import { UpdateOrganisation } from './update-organisation.js';

export const EXPORT_RESPONSE = {
  description:
    'Lines of JSON: the manifest (counts, SHA-256 of each part), then `{table, row}` for every row and `{audit}` for every event.',
  content: { 'application/jsonl': { schema: { type: 'string' as const } } },
};

const OPERATIONS_SHOWN = 50;

/** What the operator does to one organisation. */
@Controller('v1/tenants/:id')
export class LifecycleController {
  constructor(
    private readonly known: KnownOrganisations,
    private readonly updating: UpdateOrganisation,
    private readonly suspending: SuspendOrganisation,
    private readonly deleting: DeleteOrganisation,
    private readonly operations: ObservedOperations,
    private readonly usage: ReadUsage,
    private readonly exported: ReadExport,
  ) {}

  @Get()
  @Endpoint({
    permission: 'tenant:read',
    audit: 'tenant.read',
    summary: 'Reads an organisation.',
    problems: [404],
  })
  async get(@OrganisationId() id: TenantId): Promise<OrganisationDto> {
    auditDetails({ resource: { type: 'tenant', id } });
    return organisationDto(await this.known.require(id));
  }

  @Patch()
  @Endpoint({
    permission: 'tenant:update',
    audit: 'tenant.updated',
    summary: 'Renames an organisation, or sets its quotas. Needs If-Match.',
    problems: [404, 409, 412, 428],
  })
  async update(
    @OrganisationId() id: TenantId,
    @Body() body: UpdateOrganisationDto,
    @IfMatch() version: number | undefined,
  ): Promise<OrganisationDto> {
    return organisationDto(await this.updating.execute(id, body, version));
  }

  @Post('suspend')
  @HttpCode(200)
  @Endpoint({
    permission: 'tenant:suspend',
    audit: 'tenant.suspended',
    summary: 'Suspends an organisation: at once nobody of it is served, and its runs wait.',
    problems: [404, 409],
  })
  async suspend(
    @OrganisationId() id: TenantId,
    @Body() { reason }: SuspendOrganisationDto,
  ): Promise<OrganisationDto> {
    return organisationDto(await this.suspending.suspend(id, reason));
  }

  @Post('resume')
  @HttpCode(200)
  @Endpoint({
    permission: 'tenant:suspend',
    audit: 'tenant.resumed',
    summary: 'Ends the suspension: its people are served again, and its runs go on.',
    problems: [404, 409],
  })
  async resume(@OrganisationId() id: TenantId): Promise<OrganisationDto> {
    return organisationDto(await this.suspending.resume(id));
  }

  @Delete()
  @HttpCode(202)
  @Endpoint({
    permission: 'tenant:delete',
    audit: 'tenant.deleted',
    summary: 'Deletes an organisation: at once nobody of it is served; after the days of grace it is purged.',
    problems: [404, 409],
  })
  async delete(
    @OrganisationId() id: TenantId,
    @Body() body: DeleteOrganisationDto,
  ): Promise<OrganisationDto> {
    return organisationDto(await this.deleting.delete(id, body));
  }

  @Post('restore')
  @HttpCode(200)
  @Endpoint({
    permission: 'tenant:delete',
    audit: 'tenant.restored',
    summary: 'Takes a deletion back, until the purge begins.',
    problems: [404, 409],
  })
  async restore(@OrganisationId() id: TenantId): Promise<OrganisationDto> {
    return organisationDto(await this.deleting.restore(id));
  }

  @Get('usage')
  @Endpoint({
    permission: 'tenant:read',
    audit: 'tenant.usage_read',
    summary: 'What an organisation may have by its quotas, and has.',
    problems: [404, 409],
  })
  async usageOf(@OrganisationId() id: TenantId): Promise<UsageReportDto> {
    auditDetails({ resource: { type: 'tenant', id } });
    return this.usage.execute(await this.known.require(id));
  }

  @Get('export')
  @ApiOkResponse(EXPORT_RESPONSE)
  @Endpoint({
    permission: 'tenant:export',
    audit: 'tenant.exported',
    summary: 'Everything of an organisation that is being deleted. Its own log tells that you read it.',
    problems: [404, 409],
  })
  export(
    @OrganisationId() id: TenantId,
    // Declared, so that the framework leaves the answer to the stream.
    @Res() _response: unknown,
  ): Promise<JsonLines> {
    return this.exported.byOperator(id);
  }

  @Get('operations')
  @Endpoint({
    permission: 'tenant:read',
    audit: 'tenant.operations_read',
    summary: 'What is at work on an organisation, and was in the last 90 days; the latest first.',
    problems: [404],
  })
  async list(@OrganisationId() id: TenantId): Promise<OperationsDto> {
    auditDetails({ resource: { type: 'tenant', id } });
    // Of one that is gone too: how its purge went is a question that comes afterwards.
    const found = await this.operations.ofTenant(id, OPERATIONS_SHOWN);
    if (found.length === 0) await this.known.require(id);
    return { items: found.map(operationDto) };
  }
}

function operationDto(operation: ObservedOperation): OperationDto {
  const { id, kind, step, status, waitsFor, error, attempts, dueAt, createdAt, finishedAt } = operation;
  return {
    id,
    kind,
    step,
    status,
    ...(waitsFor !== undefined && { waitsFor }),
    ...(error !== undefined && { error }),
    attempts,
    dueAt: dueAt.toISOString(),
    createdAt: createdAt.toISOString(),
    ...(finishedAt && { finishedAt: finishedAt.toISOString() }),
  };
}
