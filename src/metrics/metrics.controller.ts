import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse } from '@nestjs/swagger';
import type { Response } from 'express';
import { Endpoint } from '../platform/http/endpoint.js';
import { StreamedAnswer } from '../platform/http/streamed-answer.js';
import { Gauges, type MetricsText } from '../platform/observability/gauges.js';

class MetricsAnswer extends StreamedAnswer {
  constructor(private readonly metrics: MetricsText) {
    super();
  }

  serve(response: Response): Promise<void> {
    response.status(200).set({ 'Content-Type': this.metrics.type, 'Cache-Control': 'no-store' });
    response.end(this.metrics.text);
    return Promise.resolve();
  }
}

@Controller('metrics')
export class MetricsController {
  constructor(private readonly gauges: Gauges) {}

  @Get()
  @ApiOkResponse({ content: { 'text/plain': { schema: { type: 'string' } } } })
  @Endpoint({
    permission: 'metrics:read',
    audit: 'metrics.read',
    summary: 'What the installation measures of itself, as Prometheus reads it. Needs the operator key.',
  })
  async read(): Promise<MetricsAnswer> {
    return new MetricsAnswer(await this.gauges.read());
  }
}
