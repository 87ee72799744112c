import { Controller, Get, HttpCode, Post, Query } from '@nestjs/common';
import { Endpoint } from '../platform/http/endpoint.js';
import { CurrentActor, IfMatch, ResourceId } from '../platform/http/parameters.js';
import type { Actor } from '../platform/http/request-context.js';
import { Alerts } from './alerts.js';
import { AlertDto, AlertPageDto, AlertsQuery } from './alerts.dto.js';

@Controller('v1/alerts')
export class AlertsController {
  constructor(private readonly alerts: Alerts) {}

  @Get()
  @Endpoint({ permission: 'alert:read', audit: 'alert.listed', summary: 'Lists alerts, the newest first.' })
  list(@Query() query: AlertsQuery): Promise<AlertPageDto> {
    return this.alerts.list(query);
  }

  @Get(':id')
  @Endpoint({ permission: 'alert:read', audit: 'alert.read', summary: 'Reads an alert.', problems: [404] })
  get(@ResourceId('alert') id: string): Promise<AlertDto> {
    return this.alerts.get(id);
  }

  @Post(':id/acknowledge')
  @HttpCode(200)
  @Endpoint({
    permission: 'alert:manage',
    audit: 'alert.acknowledged',
    summary: 'Says that somebody is looking at it.',
    problems: [404, 409, 412],
  })
  acknowledge(
    @CurrentActor() actor: Actor,
    @ResourceId('alert') id: string,
    @IfMatch() version: number | undefined,
  ): Promise<AlertDto> {
    return this.alerts.acknowledge(actor, id, version);
  }

  @Post(':id/resolve')
  @HttpCode(200)
  @Endpoint({
    permission: 'alert:manage',
    audit: 'alert.resolved',
    summary: 'Says that it is over. If it happens again, there is a new alert.',
    problems: [404, 412],
  })
  resolve(
    @CurrentActor() actor: Actor,
    @ResourceId('alert') id: string,
    @IfMatch() version: number | undefined,
  ): Promise<AlertDto> {
    return this.alerts.resolve(actor, id, version);
  }
}
