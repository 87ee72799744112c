import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { Cells, tenantId, type RegistryTransaction, type TenantId } from '../platform/database/index.js';
import { AppError } from '../platform/http/errors.js';
import type { Operation, OperationData } from './operation.js';

export class OperationUnderWay extends AppError {
  readonly kind = 'conflict';
  readonly code = 'OPERATION_UNDER_WAY';
  constructor(kind: string) {
    super(`An operation of the kind "${kind}" is under way for this organisation already. Wait for its end.`);
  }
}

export interface NewOperation {
  /** Where something names it before it begins; drawn without one. */
  readonly id?: string;
  readonly kind: string;
  readonly tenant: TenantId;
  readonly step: string;
  readonly data?: OperationData;
  /** When the first step is due, in seconds from now. */
  readonly afterSeconds?: number;
}

interface Row {
  id: string;
  kind: string;
  tenant: string;
  step: string;
  data: Record<string, unknown>;
  status: Operation['status'];
  error: string | null;
  attempts: number;
  due_at: Date;
  lease_until: Date | null;
  created_at: Date;
  finished_at: Date | null;
}

export const COLUMNS =
  'id, kind, tenant, step, data, status, error, attempts, due_at, lease_until, created_at, finished_at';

/** Operations as they are kept, in the home database. */
@Injectable()
export class Operations {
  constructor(private readonly cells: Cells) {}

  /**
   * Begins one, as part of the registry change that calls for it. At most one of a kind runs for a tenant.
   * @throws {OperationUnderWay}
   */
  async start(
    registry: RegistryTransaction,
    { id = uuidv7(), kind, tenant, step, data = {}, afterSeconds = 0 }: NewOperation,
  ): Promise<string> {
    const { rowCount } = await registry.query({
      text: `INSERT INTO control.operations (id, kind, tenant, step, data, due_at)
        VALUES ($1, $2, $3, $4, $5, now() + make_interval(secs => $6)) ON CONFLICT DO NOTHING`,
      values: [id, kind, tenant, step, JSON.stringify(data), afterSeconds],
    });
    if (rowCount === 0) throw new OperationUnderWay(kind);
    return id;
  }

  /** Ends one that is waiting, as part of the registry change that makes it pointless. False when it is not waiting. */
  async cancel(registry: RegistryTransaction, tenant: TenantId, kind: string): Promise<boolean> {
    const { rowCount } = await registry.query({
      text: `DELETE FROM control.operations
        WHERE tenant = $1 AND kind = $2 AND status = 'running' AND (lease_until IS NULL OR lease_until < now())`,
      values: [tenant, kind],
    });
    return rowCount === 1;
  }

  /**
   * Ends one that is at one of these steps, whoever works on it: each of them does nothing that outlasts the operation, and
   * what follows begins once it is noted, which finds nothing then. Answers what it was; undefined when it is further, or not there.
   */
  async cancelAt(
    registry: RegistryTransaction,
    tenant: TenantId,
    kind: string,
    steps: readonly string[],
  ): Promise<Operation | undefined> {
    const { rows } = await registry.query<Row>({
      text: `DELETE FROM control.operations WHERE tenant = $1 AND kind = $2 AND status = 'running' AND step = ANY ($3)
        RETURNING ${COLUMNS}`,
      values: [tenant, kind, steps],
    });
    return rows[0] && operationOf(rows[0]);
  }

  /** Makes the step of one that waits due at once, as part of the registry change that it has to hear of. */
  async hasten(registry: RegistryTransaction, id: string): Promise<void> {
    const text = `UPDATE control.operations SET due_at = now() WHERE id = $1 AND status = 'running' AND due_at > now()`;
    await registry.query({ text, values: [id] });
  }

  /** The one of a kind that is under way for a tenant, or waits. */
  async running(tenant: TenantId, kind: string): Promise<Operation | undefined> {
    const { rows } = await this.cells.home.control.query<Row>(
      `SELECT ${COLUMNS} FROM control.operations WHERE tenant = $1 AND kind = $2 AND status = 'running'`,
      [tenant, kind],
    );
    return rows[0] && operationOf(rows[0]);
  }

  async byId(tenant: TenantId, id: string): Promise<Operation | undefined> {
    const { rows } = await this.cells.home.control.query<Row>(
      `SELECT ${COLUMNS} FROM control.operations WHERE tenant = $1 AND id = $2`,
      [tenant, id],
    );
    return rows[0] && operationOf(rows[0]);
  }

  /** A tenant's, the latest first. */
  async ofTenant(tenant: TenantId, limit: number): Promise<Operation[]> {
    const { rows } = await this.cells.home.control.query<Row>(
      `SELECT ${COLUMNS} FROM control.operations WHERE tenant = $1 ORDER BY created_at DESC, id DESC LIMIT $2`,
      [tenant, limit],
    );
    return rows.map(operationOf);
  }
}

export function operationOf(row: Row): Operation {
  const { id, kind, step, data, status, attempts } = row;
  return {
    id,
    kind,
    tenant: tenantId(row.tenant),
    step,
    data,
    status,
    error: row.error ?? undefined,
    attempts,
    dueAt: row.due_at,
    heldUntil: row.lease_until ?? undefined,
    createdAt: row.created_at,
    finishedAt: row.finished_at ?? undefined,
  };
}

export type { Row as OperationRow };
