import { Body, Controller, Get, HttpCode, Post } from '@nestjs/common';
import { ObservedOperations, type ObservedOperation } from '../operations/index.js';
import type { TenantId } from '../platform/database/index.js';
import { Endpoint } from '../platform/http/endpoint.js';
import { ResourceNotFound } from '../platform/http/errors.js';
import { ResourceId } from '../platform/http/parameters.js';
import { auditDetails } from '../platform/http/request-context.js';
import { OrganisationId } from '../tenancy/index.js';
import { BeginMove } from './begin-move.js';
import { MOVE, type MoveData } from './move.js';
import { MoveDto, OperationDetailsDto } from './moves.dto.js';

@Controller('v1/tenants/:id')
export class MovesController {
  constructor(
    private readonly beginMove: BeginMove,
    private readonly operations: ObservedOperations,
  ) {}

  @Post('move')
  @HttpCode(202)
  @Endpoint({
    permission: 'tenant:move',
    audit: 'tenant.move_requested',
    summary: 'Moves an organisation to another cell, on request to another region. Needs the operator key.',
    problems: [404, 409, 422],
  })
  async move(@OrganisationId() id: TenantId, @Body() body: MoveDto): Promise<OperationDetailsDto> {
    return operationDto(await this.beginMove.execute(id, body));
  }

  @Get('operations/:operationId')
  @Endpoint({
    permission: 'tenant:read',
    audit: 'tenant.operation_read',
    summary: 'Reads how an operation on an organisation stands. Needs the operator key.',
    problems: [404],
  })
  async operation(
    @OrganisationId() id: TenantId,
    @ResourceId('operation', 'operationId') operationId: string,
  ): Promise<OperationDetailsDto> {
    auditDetails({ resource: { type: 'tenant', id } });
    const operation = await this.operations.byId(id, operationId);
    if (!operation) throw new ResourceNotFound('operation');
    return operationDto(operation);
  }

  @Post('operations/:operationId/cancel')
  @HttpCode(202)
  @Endpoint({
    permission: 'tenant:move',
    audit: 'tenant.move_cancel_requested',
    summary:
      'Leaves a move that is not cut over yet, and undoes what was done of it. Needs the operator key.',
    problems: [404, 409],
  })
  async cancel(
    @OrganisationId() id: TenantId,
    @ResourceId('operation', 'operationId') operationId: string,
  ): Promise<OperationDetailsDto> {
    return operationDto(await this.beginMove.cancel(id, operationId));
  }
}

function operationDto(operation: ObservedOperation): OperationDetailsDto {
  const { id, kind, status, step, waitsFor, error, createdAt, dueAt, finishedAt } = operation;
  return {
    id,
    kind,
    status,
    step,
    ...(kind === MOVE && { progress: progressDto(operation.data as MoveData) }),
    ...(waitsFor !== undefined && { waitsFor }),
    ...(error !== undefined && { error }),
    createdAt: createdAt.toISOString(),
    dueAt: dueAt.toISOString(),
    ...(finishedAt && { finishedAt: finishedAt.toISOString() }),
  };
}

function progressDto({ from, to, progress }: MoveData) {
  const { tables, events, objects, writesPausedMs, readsPausedMs } = progress;
  const rows = Object.values(tables).reduce((sum, count) => sum + count, 0);
  return {
    from,
    to,
    rows,
    events,
    objects,
    ...(writesPausedMs !== undefined && { writesPausedMs }),
    ...(readsPausedMs !== undefined && { readsPausedMs }),
  };
}
