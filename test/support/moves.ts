import type { OperationDetailsDto } from '../../src/moves/moves.dto.js';
import { must, type Client } from './client.js';
import { eventually } from './eventually.js';

export interface MoveBody {
  readonly cell?: string;
  readonly region?: string;
  readonly confirmRegion?: string;
  readonly pauseSeconds?: number;
  readonly keepSeconds?: number;
}

export function beginMove(operator: Client, tenant: string, body: MoveBody): Promise<OperationDetailsDto> {
  return must(
    operator.post<OperationDetailsDto>(`/v1/tenants/${tenant}/move`, { keepSeconds: 1, ...body }),
    202,
  );
}

export function readOperation(operator: Client, tenant: string, id: string): Promise<OperationDetailsDto> {
  return must(operator.get<OperationDetailsDto>(`/v1/tenants/${tenant}/operations/${id}`), 200);
}

/** Waits until it is over, one way or the other. */
export function operationEnded(
  operator: Client,
  tenant: string,
  id: string,
  limitMs = 150_000,
): Promise<OperationDetailsDto> {
  return eventually(async () => {
    const operation = await readOperation(operator, tenant, id);
    if (operation.status === 'running') throw new Error(`still running: ${JSON.stringify(operation)}`);
    return operation;
  }, limitMs);
}
