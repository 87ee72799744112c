import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { ColdLog } from '../audit/index.js';
import { OperationRunner, Operations } from '../operations/index.js';
import { Cells, type TenantRef } from '../platform/database/index.js';
import { InvalidRequest, type FieldError } from '../platform/http/errors.js';
import { auditDetails } from '../platform/http/request-context.js';
import { RegistryWork } from '../requests/index.js';
import { TooManyRestores } from './retention.errors.js';
import type { RestoreDto, RestoresDto } from './restores.dto.js';

export const RESTORE = 'audit.restore';
export const KEPT_DAYS = 7;
const EVENTS_AT_ONCE = 100_000;
const AT_ONCE = 5;

interface Row {
  id: string;
  first: string;
  last: string;
  status: string;
  error: string | null;
  created_at: Date;
  expires_at: Date;
}

const COLUMNS = 'id, first, last, status, error, created_at, expires_at';

/** What organisations have loaded of their cold logs. Copies: the log itself stays where it is. */
@Injectable()
export class Restores {
  constructor(
    private readonly cells: Cells,
    private readonly cold: ColdLog,
    private readonly work: RegistryWork,
    private readonly operations: Operations,
    private readonly runner: OperationRunner,
  ) {}

  async create(tenant: TenantRef, { from, to }: { from: number; to: number }): Promise<RestoreDto> {
    await this.#requireCold(tenant, from, to);
    const { audit } = this.cells.of(tenant.cell);
    const id = uuidv7();
    auditDetails({ resource: { type: 'audit_restore', id }, changes: { from, to } });
    const { rows } = await audit.query<Row>(
      `INSERT INTO audit.restores (id, tenant, first, last, expires_at)
       SELECT $1, $2, $3, $4, now() + make_interval(days => ${KEPT_DAYS})
       WHERE (SELECT count(*) FROM audit.restores WHERE tenant = $2 AND expires_at > now()) < ${AT_ONCE}
       RETURNING ${COLUMNS}`,
      [id, tenant.id, from, to],
    );
    const [row] = rows;
    if (!row) throw new TooManyRestores(AT_ONCE);
    try {
      await this.work.bookkeeping('the request is the event', tenant.id, (registry) =>
        this.operations.start(registry, {
          kind: RESTORE,
          tenant: tenant.id,
          step: 'load',
          data: { restore: id, from, to },
        }),
      );
    } catch (error) {
      await audit.query('DELETE FROM audit.restores WHERE id = $1', [id]);
      throw error;
    }
    this.runner.nudge();
    return dto(row);
  }

  async list(tenant: TenantRef): Promise<RestoresDto> {
    const { rows } = await this.cells
      .of(tenant.cell)
      .audit.query<Row>(
        `SELECT ${COLUMNS} FROM audit.restores WHERE tenant = $1 AND expires_at > now() ORDER BY created_at DESC LIMIT 50`,
        [tenant.id],
      );
    return { items: rows.map(dto) };
  }

  async #requireCold(tenant: TenantRef, from: number, to: number): Promise<void> {
    const [{ seq: gone }, last] = [await this.cold.beginning(tenant), await this.cold.through(tenant)];
    const errors: FieldError[] = [];
    if (from <= gone)
      errors.push({ pointer: '/from', detail: `from must be above ${gone}: what is before is gone` });
    if (to > last)
      errors.push({
        pointer: '/to',
        detail: `to must be at most ${last}: what comes after is not in cold storage`,
      });
    if (from > to) errors.push({ pointer: '/to', detail: 'to must not be below from' });
    else if (to - from >= EVENTS_AT_ONCE)
      errors.push({ pointer: '/to', detail: `to must be at most ${from + EVENTS_AT_ONCE - 1}` });
    if (errors.length > 0) throw new InvalidRequest(errors);
  }
}

function dto({ id, first, last, status, error, created_at, expires_at }: Row): RestoreDto {
  return {
    id,
    from: Number(first),
    to: Number(last),
    status,
    ...(error !== null && { error }),
    createdAt: created_at.toISOString(),
    expiresAt: expires_at.toISOString(),
  };
}
