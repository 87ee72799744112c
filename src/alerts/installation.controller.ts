import { Body, Controller, Delete, Get, HttpCode, Patch, Post, Query } from '@nestjs/common';
import { Cells, PLATFORM_TENANT, TenantDatabase } from '../platform/database/index.js';
import { Endpoint } from '../platform/http/endpoint.js';
import { CurrentActor, IfMatch, ResourceId } from '../platform/http/parameters.js';
import type { Actor } from '../platform/http/request-context.js';
import { Alerts } from './alerts.js';
import { AlertDto, AlertPageDto, AlertsQuery } from './alerts.dto.js';
import { Channels } from './channels.js';
import {
  ChannelDto,
  ChannelListDto,
  ChannelTestDto,
  CreateChannelDto,
  CreatedChannelDto,
  UpdateChannelDto,
} from './channels.dto.js';

/** The installation's own alerts, and who is told of them: as an organisation's, in the installation's own tenant. */
@Controller('v1/installation')
export class InstallationAlertsController {
  constructor(
    private readonly alerts: Alerts,
    private readonly channels: Channels,
    private readonly database: TenantDatabase,
    private readonly cells: Cells,
  ) {}

  @Get('alerts')
  @Endpoint({
    permission: 'installation_alert:read',
    audit: 'alert.listed',
    summary: "Lists the installation's own alerts. Needs the operator key.",
  })
  list(@Query() query: AlertsQuery): Promise<AlertPageDto> {
    return this.#within(() => this.alerts.list(query));
  }

  @Post('alerts/:id/acknowledge')
  @HttpCode(200)
  @Endpoint({
    permission: 'installation_alert:manage',
    audit: 'alert.acknowledged',
    summary: "Says that somebody looks at one of the installation's alerts. Needs the operator key.",
    problems: [404, 409, 412],
  })
  acknowledge(
    @CurrentActor() actor: Actor,
    @ResourceId('alert') id: string,
    @IfMatch() version: number | undefined,
  ): Promise<AlertDto> {
    return this.#within(() => this.alerts.acknowledge(actor, id, version));
  }

  @Post('alerts/:id/resolve')
  @HttpCode(200)
  @Endpoint({
    permission: 'installation_alert:manage',
    audit: 'alert.resolved',
    summary: "Says that one of the installation's alerts is over. Needs the operator key.",
    problems: [404, 412],
  })
  resolve(
    @CurrentActor() actor: Actor,
    @ResourceId('alert') id: string,
    @IfMatch() version: number | undefined,
  ): Promise<AlertDto> {
    return this.#within(() => this.alerts.resolve(actor, id, version));
  }

  @Get('alert-channels')
  @Endpoint({
    permission: 'installation_alert:read',
    audit: 'alert_channel.listed',
    summary: "Lists who is told of the installation's alerts. Needs the operator key.",
  })
  listChannels(): Promise<ChannelListDto> {
    return this.#within(() => this.channels.list());
  }

  @Post('alert-channels')
  @Endpoint({
    permission: 'installation_alert:manage',
    audit: 'alert_channel.created',
    summary: "Adds somebody who is told of the installation's alerts. Needs the operator key.",
    problems: [409, 422],
  })
  createChannel(@CurrentActor() actor: Actor, @Body() body: CreateChannelDto): Promise<CreatedChannelDto> {
    return this.#within(() => this.channels.create(actor, body));
  }

  @Patch('alert-channels/:id')
  @Endpoint({
    permission: 'installation_alert:manage',
    audit: 'alert_channel.updated',
    summary: "Changes who is told of the installation's alerts. Needs the operator key.",
    problems: [404, 412],
  })
  updateChannel(
    @ResourceId('alert channel') id: string,
    @Body() body: UpdateChannelDto,
    @IfMatch() version: number | undefined,
  ): Promise<ChannelDto> {
    return this.#within(() => this.channels.update(id, body, version));
  }

  @Delete('alert-channels/:id')
  @HttpCode(204)
  @Endpoint({
    permission: 'installation_alert:manage',
    audit: 'alert_channel.deleted',
    summary: "Tells somebody of the installation's alerts no more. Needs the operator key.",
    problems: [404, 412],
  })
  deleteChannel(
    @ResourceId('alert channel') id: string,
    @IfMatch() version: number | undefined,
  ): Promise<void> {
    return this.#within(() => this.channels.delete(id, version));
  }

  @Post('alert-channels/:id/test')
  @HttpCode(200)
  @Endpoint({
    permission: 'installation_alert:manage',
    audit: 'alert_channel.tested',
    summary: 'Tells of an alert that there is not. Needs the operator key.',
    problems: [404],
  })
  testChannel(@ResourceId('alert channel') id: string): Promise<ChannelTestDto> {
    return this.#within(() => this.channels.test(id));
  }

  #within<T>(work: () => Promise<T>): Promise<T> {
    return this.database.within(this.cells.home.tenant(PLATFORM_TENANT), work);
  }
}
