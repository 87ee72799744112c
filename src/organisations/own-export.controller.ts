import { Controller, Get, Res } from '@nestjs/common';
import { ApiOkResponse } from '@nestjs/swagger';
import { Endpoint } from '../platform/http/endpoint.js';
import { CurrentTenant } from '../platform/http/parameters.js';
import type { RequestTenant } from '../platform/http/request-context.js';
import type { JsonLines } from '../platform/http/streamed-answer.js';
import { EXPORT_RESPONSE } from './lifecycle.controller.js';
import { ReadExport } from './read-export.js';

/** The one thing that an organisation can still do while it is being deleted. */
@Controller('v1/organisation')
export class OwnExportController {
  constructor(private readonly exported: ReadExport) {}

  @Get('export')
  @ApiOkResponse(EXPORT_RESPONSE)
  @Endpoint({
    permission: 'organisation:export',
    audit: 'organisation.exported',
    summary: 'Everything of your organisation, while it is being deleted.',
    problems: [404, 409],
    whileDeleting: true,
  })
  export(
    @CurrentTenant() tenant: RequestTenant,
    // Declared, so that the framework leaves the answer to the stream.
    @Res() _response: unknown,
  ): Promise<JsonLines> {
    return this.exported.byOwner(tenant);
  }
}
