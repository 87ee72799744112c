import { Body, Controller, Delete, Get, HttpCode, Patch, Post } from '@nestjs/common';
import { Endpoint } from '../platform/http/endpoint.js';
import { CurrentActor, IfMatch, ResourceId } from '../platform/http/parameters.js';
import { auditDetails, type Actor } from '../platform/http/request-context.js';
import { ConnectionStore } from './connection-store.js';
import { Connections } from './connections.js';
import {
  ConnectionDto,
  ConnectionListDto,
  CreateConnectionDto,
  UpdateConnectionDto,
} from './connections.dto.js';
import { OrderTest } from './order-test.js';
import { SetupDto } from './setup.dto.js';
import { SetupGuide } from './setup-guide.js';
import { TestReports } from './test-reports.js';
import { OrderedTestDto, TestReportListDto } from './tests.dto.js';

@Controller('v1/sso/connections')
export class ConnectionsController {
  constructor(
    private readonly connections: Connections,
    private readonly store: ConnectionStore,
    private readonly guide: SetupGuide,
    private readonly orderTest: OrderTest,
    private readonly reports: TestReports,
  ) {}

  @Post()
  @Endpoint({
    permission: 'sso:manage',
    audit: 'sso_connection.created',
    stepUp: true,
    summary: 'Adds a connection to an identity provider, as a draft: nobody signs in through it yet.',
    problems: [409, 422],
  })
  create(@CurrentActor() actor: Actor, @Body() body: CreateConnectionDto): Promise<ConnectionDto> {
    return this.connections.create(actor, body);
  }

  @Get()
  @Endpoint({ permission: 'sso:read', audit: 'sso_connection.listed', summary: 'Lists the connections.' })
  list(): Promise<ConnectionListDto> {
    return this.connections.list();
  }

  @Get(':id')
  @Endpoint({
    permission: 'sso:read',
    audit: 'sso_connection.read',
    summary: 'Reads a connection, without its secrets.',
    problems: [404],
  })
  get(@ResourceId('connection') id: string): Promise<ConnectionDto> {
    return this.connections.get(id);
  }

  @Patch(':id')
  @Endpoint({
    permission: 'sso:manage',
    audit: 'sso_connection.updated',
    stepUp: true,
    summary: 'Changes a connection. Disabled, the sessions that came of it end.',
    problems: [404, 409, 412, 422],
  })
  update(
    @CurrentActor() actor: Actor,
    @ResourceId('connection') id: string,
    @Body() body: UpdateConnectionDto,
    @IfMatch() version: number | undefined,
  ): Promise<ConnectionDto> {
    return this.connections.update(actor, id, body, version);
  }

  @Delete(':id')
  @HttpCode(204)
  @Endpoint({
    permission: 'sso:manage',
    audit: 'sso_connection.deleted',
    stepUp: true,
    summary: 'Takes a connection away. The sessions that came of it end; people stay.',
    problems: [404, 409, 412],
  })
  delete(@ResourceId('connection') id: string, @IfMatch() version: number | undefined): Promise<void> {
    return this.connections.delete(id, version);
  }

  @Get(':id/setup')
  @Endpoint({
    permission: 'sso:read',
    audit: 'sso_connection.read',
    summary: 'What is pasted where, at the provider.',
    problems: [404],
  })
  async setup(@ResourceId('connection') id: string): Promise<SetupDto> {
    const found = await this.store.find(id);
    auditDetails({ resource: { type: 'sso_connection', id } });
    return this.guide.of(found);
  }

  @Post(':id/test')
  @HttpCode(200)
  @Endpoint({
    permission: 'sso:manage',
    audit: 'sso_connection.tested',
    stepUp: true,
    summary: 'Answers the address of a sign-in that opens no session, and shows what the provider says.',
    problems: [404, 429],
  })
  test(@ResourceId('connection') id: string): Promise<OrderedTestDto> {
    return this.orderTest.execute(id);
  }

  @Get(':id/tests')
  @Endpoint({
    permission: 'sso:manage',
    audit: 'sso_connection.tests_read',
    summary: 'The last ten tests of a day: each claim received, what it meant, and why.',
    problems: [404],
  })
  async tests(@ResourceId('connection') id: string): Promise<TestReportListDto> {
    await this.connections.get(id);
    return { items: await this.reports.list(id) };
  }
}
