import { Controller, Get, Injectable } from '@nestjs/common';
import { ApiProperty } from '@nestjs/swagger';
import { Cells } from '../database/index.js';
import { Endpoint, PUBLIC, UNAUDITED } from '../http/endpoint.js';
import { ServiceUnavailable } from '../http/errors.js';

export class HealthDto {
  @ApiProperty({ enum: ['ok'] })
  status!: string;
}

/** Whether this process should get requests. A process that is shutting down says no before it stops listening. */
@Injectable()
export class Readiness {
  #draining = false;

  constructor(private readonly cells: Cells) {}

  drain(): void {
    this.#draining = true;
  }

  async check(): Promise<void> {
    if (this.#draining) throw new ServiceUnavailable('This process is shutting down. Repeat the request.');
    await Promise.all(this.cells.all().map((cell) => cell.control.query('SELECT 1')));
  }
}

@Controller()
export class HealthController {
  constructor(private readonly readiness: Readiness) {}

  @Get('healthz')
  @Endpoint({
    permission: PUBLIC,
    reason: 'a probe has no credential',
    audit: UNAUDITED,
    summary: 'Whether the process is alive.',
  })
  alive(): HealthDto {
    return { status: 'ok' };
  }

  @Get('readyz')
  @Endpoint({
    permission: PUBLIC,
    reason: 'a probe has no credential',
    audit: UNAUDITED,
    summary: 'Whether the process can serve requests.',
  })
  async ready(): Promise<HealthDto> {
    await this.readiness.check();
    return { status: 'ok' };
  }
}
