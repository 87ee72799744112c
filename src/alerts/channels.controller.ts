import { Body, Controller, Delete, Get, HttpCode, Patch, Post } from '@nestjs/common';
import { Endpoint } from '../platform/http/endpoint.js';
import { CurrentActor, IfMatch, ResourceId } from '../platform/http/parameters.js';
import type { Actor } from '../platform/http/request-context.js';
import { Channels } from './channels.js';
import {
  ChannelDto,
  ChannelListDto,
  ChannelTestDto,
  CreateChannelDto,
  CreatedChannelDto,
  UpdateChannelDto,
} from './channels.dto.js';

@Controller('v1/alert-channels')
export class ChannelsController {
  constructor(private readonly channels: Channels) {}

  @Post()
  @Endpoint({
    permission: 'alert_channel:manage',
    audit: 'alert_channel.created',
    summary: 'Adds somebody who is told of alerts. A secret that is made here is shown this once.',
    problems: [409, 422],
  })
  create(@CurrentActor() actor: Actor, @Body() body: CreateChannelDto): Promise<CreatedChannelDto> {
    return this.channels.create(actor, body);
  }

  @Get()
  @Endpoint({
    permission: 'alert_channel:read',
    audit: 'alert_channel.listed',
    summary: 'Lists who is told of alerts.',
  })
  list(): Promise<ChannelListDto> {
    return this.channels.list();
  }

  @Patch(':id')
  @Endpoint({
    permission: 'alert_channel:manage',
    audit: 'alert_channel.updated',
    summary: 'Changes who is told of alerts, and of which.',
    problems: [404, 412],
  })
  update(
    @ResourceId('alert channel') id: string,
    @Body() body: UpdateChannelDto,
    @IfMatch() version: number | undefined,
  ): Promise<ChannelDto> {
    return this.channels.update(id, body, version);
  }

  @Delete(':id')
  @HttpCode(204)
  @Endpoint({
    permission: 'alert_channel:manage',
    audit: 'alert_channel.deleted',
    summary: 'Tells somebody of alerts no more.',
    problems: [404, 412],
  })
  delete(@ResourceId('alert channel') id: string, @IfMatch() version: number | undefined): Promise<void> {
    return this.channels.delete(id, version);
  }

  @Post(':id/test')
  @HttpCode(200)
  @Endpoint({
    permission: 'alert_channel:manage',
    audit: 'alert_channel.tested',
    summary: 'Tells of an alert that there is not, and says whether that was taken.',
    problems: [404],
  })
  test(@ResourceId('alert channel') id: string): Promise<ChannelTestDto> {
    return this.channels.test(id);
  }
}
