import { Body, Controller, Get, Post, Query } from '@nestjs/common';
import { Endpoint } from '../platform/http/endpoint.js';
import { cursorKey, pageOf, PageQuery } from '../platform/http/pagination.js';
import { TenantRegistry } from '../tenancy/index.js';
import { CreateOrganisation } from './create-organisation.js';
import { organisationDto } from './organisation-dto.js';
import { CreatedOrganisationDto, CreateOrganisationDto, OrganisationPageDto } from './organisations.dto.js';

@Controller('v1/tenants')
export class OrganisationsController {
  constructor(
    private readonly createOrganisation: CreateOrganisation,
    private readonly tenants: TenantRegistry,
  ) {}

  @Post()
  @Endpoint({
    permission: 'tenant:create',
    audit: 'tenant.created',
    summary: 'Creates an organisation with its owner, in a region. Needs the operator key.',
    problems: [409],
  })
  async create(@Body() body: CreateOrganisationDto): Promise<CreatedOrganisationDto> {
    const { tenant, owner } = await this.createOrganisation.execute(body);
    return { ...organisationDto(tenant), owner };
  }

  @Get()
  @Endpoint({
    permission: 'tenant:read',
    audit: 'tenant.listed',
    summary: 'Lists the organisations. Needs the operator key.',
  })
  async list(@Query() { cursor, limit }: PageQuery): Promise<OrganisationPageDto> {
    const rows = await this.tenants.list(cursorKey(cursor, /^t_[0-9a-f]{16}$/), limit + 1);
    return pageOf(rows, limit, (tenant) => tenant.id, organisationDto);
  }
}
