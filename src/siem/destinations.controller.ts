import { Body, Controller, Delete, Get, HttpCode, Patch, Post, Query } from '@nestjs/common';
import { Endpoint } from '../platform/http/endpoint.js';
import { PageQuery } from '../platform/http/pagination.js';
import { CurrentActor, IfMatch, ResourceId } from '../platform/http/parameters.js';
import type { Actor } from '../platform/http/request-context.js';
import { Destinations } from './destinations.js';
import {
  CreatedDestinationDto,
  CreateDestinationDto,
  DeadLetterPageDto,
  DestinationDto,
  DestinationListDto,
  RedeliverDto,
  RedeliveryDto,
  TestResultDto,
  UpdateDestinationDto,
} from './destinations.dto.js';
import { RedeliverDeadLetters } from './redeliver-dead-letters.js';
import { TestDestination } from './test-destination.js';

@Controller('v1/audit/destinations')
export class DestinationsController {
  constructor(
    private readonly destinations: Destinations,
    private readonly testDestination: TestDestination,
    private readonly redeliverDeadLetters: RedeliverDeadLetters,
  ) {}

  @Post()
  @Endpoint({
    permission: 'audit_destination:manage',
    audit: 'audit_destination.created',
    stepUp: 'of_people',
    summary:
      'Adds a system that the audit log is delivered to. A secret that is made here is shown this once.',
    problems: [409, 422],
  })
  create(@CurrentActor() actor: Actor, @Body() body: CreateDestinationDto): Promise<CreatedDestinationDto> {
    return this.destinations.create(actor, body);
  }

  @Get()
  @Endpoint({
    permission: 'audit_destination:read',
    audit: 'audit_destination.listed',
    summary: 'Lists where the audit log is delivered to, and how far each has come.',
  })
  list(): Promise<DestinationListDto> {
    return this.destinations.list();
  }

  @Get(':id')
  @Endpoint({
    permission: 'audit_destination:read',
    audit: 'audit_destination.read',
    summary: 'Reads a destination, and how far it has come.',
    problems: [404],
  })
  get(@ResourceId('destination') id: string): Promise<DestinationDto> {
    return this.destinations.get(id);
  }

  @Patch(':id')
  @Endpoint({
    permission: 'audit_destination:manage',
    audit: 'audit_destination.updated',
    stepUp: 'of_people',
    summary: 'Changes a destination. What waits is tried again at once.',
    problems: [404, 412],
  })
  update(
    @ResourceId('destination') id: string,
    @Body() body: UpdateDestinationDto,
    @IfMatch() version: number | undefined,
  ): Promise<DestinationDto> {
    return this.destinations.update(id, body, version);
  }

  @Delete(':id')
  @HttpCode(204)
  @Endpoint({
    permission: 'audit_destination:manage',
    audit: 'audit_destination.deleted',
    summary: 'Ends delivery to a destination.',
    problems: [404, 412],
  })
  delete(@ResourceId('destination') id: string, @IfMatch() version: number | undefined): Promise<void> {
    return this.destinations.delete(id, version);
  }

  @Post(':id/test')
  @HttpCode(200)
  @Endpoint({
    permission: 'audit_destination:manage',
    audit: 'audit_destination.tested',
    summary: 'Sends a made-up event, and says whether it was taken.',
    problems: [404],
  })
  test(@ResourceId('destination') id: string): Promise<TestResultDto> {
    return this.testDestination.execute(id);
  }

  @Post(':id/pause')
  @HttpCode(200)
  @Endpoint({
    permission: 'audit_destination:manage',
    audit: 'audit_destination.paused',
    summary: 'Stops sending; what is recorded meanwhile is sent after it is resumed.',
    problems: [404],
  })
  pause(@ResourceId('destination') id: string): Promise<DestinationDto> {
    return this.destinations.pause(id, true);
  }

  @Post(':id/resume')
  @HttpCode(200)
  @Endpoint({
    permission: 'audit_destination:manage',
    audit: 'audit_destination.resumed',
    summary: 'Sends again, from where it stopped.',
    problems: [404],
  })
  resume(@ResourceId('destination') id: string): Promise<DestinationDto> {
    return this.destinations.pause(id, false);
  }

  @Post(':id/rotate-secret')
  @HttpCode(200)
  @Endpoint({
    permission: 'audit_destination:manage',
    audit: 'audit_destination.secret_rotated',
    stepUp: 'of_people',
    summary: 'Makes a new secret for a webhook, shown this once. The former one signs as well for a day.',
    problems: [404, 422],
  })
  rotateSecret(@ResourceId('destination') id: string): Promise<CreatedDestinationDto> {
    return this.destinations.rotateSecret(id);
  }

  @Get(':id/dead-letters')
  @Endpoint({
    permission: 'audit_destination:read',
    audit: 'audit_destination.dead_letters_listed',
    summary: 'Lists the events that the receiver refused for good, the newest first.',
    problems: [404],
  })
  deadLetters(@ResourceId('destination') id: string, @Query() query: PageQuery): Promise<DeadLetterPageDto> {
    return this.destinations.deadLetters(id, query);
  }

  @Post(':id/dead-letters/redeliver')
  @HttpCode(200)
  @Endpoint({
    permission: 'audit_destination:manage',
    audit: 'audit_destination.dead_letters_redelivered',
    summary:
      'Sends events again that the receiver had refused for good, the oldest first, a hundred at most.',
    problems: [404, 409],
  })
  redeliver(@ResourceId('destination') id: string, @Body() body: RedeliverDto): Promise<RedeliveryDto> {
    return this.redeliverDeadLetters.execute(id, body);
  }
}
