import { Controller, Get, Query, Res } from '@nestjs/common';
import { ApiOkResponse } from '@nestjs/swagger';
import { Endpoint } from '../platform/http/endpoint.js';
import type { JsonLines } from '../platform/http/streamed-answer.js';
import { cursorKey, pageOf, PageQuery } from '../platform/http/pagination.js';
import { CurrentTenant } from '../platform/http/parameters.js';
import type { RequestTenant } from '../platform/http/request-context.js';
import {
  checkpointDto,
  CheckpointDto,
  CheckpointPageDto,
  ConsistencyProofDto,
  ConsistencyQuery,
  EXPORT_RESPONSE,
  ExportQuery,
  InclusionProofDto,
  InclusionQuery,
  PublicationProofDto,
  PublicationQuery,
} from './proofs.dto.js';
import { ProveLog, type ConsistencyProof } from './prove-log.js';
import { VerifiableExport } from './verifiable-export.js';

@Controller('v1/audit')
export class ProofsController {
  constructor(
    private readonly prove: ProveLog,
    private readonly verifiable: VerifiableExport,
  ) {}

  @Get('checkpoint')
  @Endpoint({
    permission: 'audit:read',
    audit: 'audit.checkpoint_read',
    summary: 'A signed checkpoint that covers everything answered so far.',
    problems: [404],
  })
  async current(@CurrentTenant() tenant: RequestTenant): Promise<CheckpointDto> {
    return checkpointDto(await this.prove.current(tenant));
  }

  @Get('checkpoints')
  @Endpoint({
    permission: 'audit:read',
    audit: 'audit.checkpoints_listed',
    summary: 'Lists the signed checkpoints of the last days, newest first.',
  })
  async list(
    @CurrentTenant() tenant: RequestTenant,
    @Query() { cursor, limit }: PageQuery,
  ): Promise<CheckpointPageDto> {
    const before = cursorKey(cursor, /^\d{1,15}$/);
    const rows = await this.prove.list(tenant, before === undefined ? undefined : Number(before), limit + 1);
    return pageOf(rows, limit, ({ size }) => String(size), checkpointDto);
  }

  @Get('proofs/inclusion')
  @Endpoint({
    permission: 'audit:read',
    audit: 'audit.inclusion_proven',
    summary: 'Proves that an event is in the log as a checkpoint has it.',
    problems: [404],
  })
  async inclusion(
    @CurrentTenant() tenant: RequestTenant,
    @Query() { seq, size }: InclusionQuery,
  ): Promise<InclusionProofDto> {
    const { leafHash, rootHash, hashes, ...proof } = await this.prove.inclusion(tenant, seq, size);
    return { ...proof, leafHash: hex(leafHash), rootHash: hex(rootHash), hashes: hashes.map(hex) };
  }

  @Get('proofs/consistency')
  @Endpoint({
    permission: 'audit:read',
    audit: 'audit.consistency_proven',
    summary: 'Proves that nothing of the log has changed between two checkpoints.',
    problems: [404],
  })
  async consistency(
    @CurrentTenant() tenant: RequestTenant,
    @Query() { from, to }: ConsistencyQuery,
  ): Promise<ConsistencyProofDto> {
    return consistencyDto(await this.prove.consistency(tenant, from, to));
  }

  @Get('proofs/roots')
  @Endpoint({
    permission: 'audit:read',
    audit: 'audit.consistency_proven',
    summary: 'Proves that the log of all checkpoints has only grown between two checkpoints of it.',
    problems: [404],
  })
  async roots(
    @CurrentTenant() tenant: RequestTenant,
    @Query() { from, to }: ConsistencyQuery,
  ): Promise<ConsistencyProofDto> {
    return consistencyDto(await this.prove.rootConsistency(tenant, from, to));
  }

  @Get('proofs/publication')
  @Endpoint({
    permission: 'audit:read',
    audit: 'audit.publication_proven',
    summary: 'Proves that a checkpoint is in the log of all checkpoints, which is the same for everybody.',
    problems: [404],
  })
  async publication(
    @CurrentTenant() tenant: RequestTenant,
    @Query() { size }: PublicationQuery,
  ): Promise<PublicationProofDto> {
    const { root, index, leafHash, hashes, ...of } = await this.prove.publication(tenant, size);
    return {
      size: of.size,
      leafHash: hex(leafHash),
      index,
      rootCheckpoint: root.note,
      hashes: hashes.map(hex),
    };
  }

  @Get('export')
  @ApiOkResponse(EXPORT_RESPONSE)
  @Endpoint({
    permission: 'audit:export',
    audit: 'audit.exported',
    summary: 'Downloads the log, up to a signed checkpoint.',
    problems: [404],
  })
  export(
    @CurrentTenant() tenant: RequestTenant,
    @Query() { from }: ExportQuery,
    // Declared, so that the framework leaves the answer to the stream.
    @Res() _response: unknown,
  ): Promise<JsonLines> {
    return this.verifiable.execute(tenant, from);
  }
}

function consistencyDto({
  from,
  to,
  fromRootHash,
  toRootHash,
  hashes,
}: ConsistencyProof): ConsistencyProofDto {
  return { from, to, fromRootHash: hex(fromRootHash), toRootHash: hex(toRootHash), hashes: hashes.map(hex) };
}

function hex(bytes: Buffer): string {
  return bytes.toString('hex');
}
