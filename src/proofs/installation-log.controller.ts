import { Controller, Get, Query, Res } from '@nestjs/common';
import { ApiOkResponse } from '@nestjs/swagger';
import { Cells, PLATFORM_TENANT } from '../platform/database/index.js';
import { Endpoint } from '../platform/http/endpoint.js';
import type { JsonLines } from '../platform/http/streamed-answer.js';
import { checkpointDto, CheckpointDto, EXPORT_RESPONSE, ExportQuery } from './proofs.dto.js';
import { ProveLog } from './prove-log.js';
import { VerifiableExport } from './verifiable-export.js';

/** The installation's own log, with what the operator did: for the operator what an organisation has of its own. */
@Controller('v1/installation/audit')
export class InstallationLogController {
  constructor(
    private readonly prove: ProveLog,
    private readonly verifiable: VerifiableExport,
    private readonly cells: Cells,
  ) {}

  @Get('checkpoint')
  @Endpoint({
    permission: 'installation_log:read',
    audit: 'audit.checkpoint_read',
    summary: "A signed checkpoint of the installation's own log. Needs the operator key.",
    problems: [404],
  })
  async current(): Promise<CheckpointDto> {
    return checkpointDto(await this.prove.current(this.#own()));
  }

  @Get('export')
  @ApiOkResponse(EXPORT_RESPONSE)
  @Endpoint({
    permission: 'installation_log:export',
    audit: 'audit.exported',
    summary: "Downloads the installation's own log, up to a signed checkpoint. Needs the operator key.",
    problems: [404],
  })
  export(
    @Query() { from }: ExportQuery,
    // Declared, so that the framework leaves the answer to the stream.
    @Res() _response: unknown,
  ): Promise<JsonLines> {
    return this.verifiable.execute(this.#own(), from);
  }

  #own() {
    return this.cells.home.tenant(PLATFORM_TENANT);
  }
}
