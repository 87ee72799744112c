import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
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

/** Waits for the pause of an organisation's writes; asks the home database without rest, as it is short. */
export async function writesPaused(home: pg.Client, tenant: string): Promise<void> {
  for (let paused = false; !paused; await sleep(1)) {
    const { rows } = await home.query<{ paused: boolean }>(
      'SELECT pause_id IS NOT NULL AS paused FROM control.tenants WHERE id = $1',
      [tenant],
    );
    paused = rows[0]?.paused ?? false;
  }
}
