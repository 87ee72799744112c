import { Body, Controller, Get, Headers, HttpCode, Post, Query, Res } from '@nestjs/common';
import { ApiHeader, ApiOkResponse } from '@nestjs/swagger';
import { Endpoint } from '../platform/http/endpoint.js';
import type { EventStream } from '../platform/http/event-stream.js';
import { CurrentActor, CurrentTenant, ResourceId } from '../platform/http/parameters.js';
import type { Actor, RequestTenant } from '../platform/http/request-context.js';
import { Runs } from './runs.js';
import { CreateRunDto, RunDto, RunEventsQuery, RunPageDto, RunsQuery } from './runs.dto.js';
import { WatchRun } from './watch-run.js';

@Controller('v1')
export class RunsController {
  constructor(
    private readonly runs: Runs,
    private readonly watchRun: WatchRun,
  ) {}

  @Post('agents/:id/runs')
  @HttpCode(202)
  @Endpoint({
    permission: 'run:create',
    on: { path: 'agent' },
    audit: 'run.created',
    summary: "Starts a run of the agent's published version.",
    problems: [404, 409],
  })
  create(
    @CurrentActor() actor: Actor,
    @CurrentTenant() tenant: RequestTenant,
    @ResourceId('agent') agentId: string,
    @Body() body: CreateRunDto,
  ): Promise<RunDto> {
    return this.runs.create(actor, tenant, agentId, body.input);
  }

  @Get('runs')
  @Endpoint({
    permission: 'run:read',
    on: { rows: 'run' },
    audit: 'run.listed',
    summary: 'Lists the runs that you may read.',
  })
  list(@Query() query: RunsQuery): Promise<RunPageDto> {
    return this.runs.list(query);
  }

  @Get('runs/:id')
  @Endpoint({
    permission: 'run:read',
    on: { path: 'run' },
    audit: 'run.read',
    summary: 'Reads a run, with its output and usage.',
    problems: [404],
  })
  get(@ResourceId('run') id: string): Promise<RunDto> {
    return this.runs.get(id);
  }

  @Get('runs/:id/events')
  @ApiHeader({ name: 'Last-Event-ID', required: false, description: 'Goes on after this event.' })
  @ApiOkResponse({
    description:
      'Server-sent events until the run ends; `id` is the position, `event` the type, `data` the event as JSON.',
    content: { 'text/event-stream': { schema: { type: 'string' } } },
  })
  @Endpoint({
    permission: 'run:read',
    on: { path: 'run' },
    audit: 'run.watched',
    summary: "Streams a run's events, from the first or from a given one.",
    problems: [404],
  })
  async events(
    @CurrentTenant() tenant: RequestTenant,
    @ResourceId('run') id: string,
    @Query() query: RunEventsQuery,
    @Headers('last-event-id') lastEventId: string | undefined,
    // Declared, so that the framework leaves the answer to the stream.
    @Res() _response: unknown,
  ): Promise<EventStream> {
    await this.runs.get(id);
    const after = query.after ?? (/^\d{1,9}$/.test(lastEventId ?? '') ? Number(lastEventId) : 0);
    return this.watchRun.execute(tenant, id, after);
  }

  @Post('runs/:id/cancel')
  @HttpCode(202)
  @Endpoint({
    permission: 'run:cancel',
    on: { path: 'run' },
    audit: 'run.cancel_requested',
    summary: 'Cancels a run.',
    problems: [404, 409],
  })
  cancel(@ResourceId('run') id: string): Promise<RunDto> {
    return this.runs.cancel(id);
  }
}
