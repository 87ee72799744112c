import { Injectable } from '@nestjs/common';
import { RegistryWork } from '../requests/index.js';
import { Cells, isTenantId, type TenantId } from '../platform/database/index.js';
import { InvalidRequest, ResourceNotFound, type FieldError } from '../platform/http/errors.js';
import { VersionMismatch } from '../platform/http/parameters.js';
import { auditDetails } from '../platform/http/request-context.js';
import type { RateLimits } from '../platform/http/tenant-rules.js';
import type { RateLimitsDto, ReplaceRateLimitsDto } from './limits.dto.js';
import { Policies } from './policies.js';

interface Row {
  rate_limits: RateLimits | null;
  rate_limits_version: number;
}

/** A bucket fills within an hour at most: what is written as a burst must not be a quota of weeks. */
const FILLED_WITHIN_SECONDS = 3_600;

/** A tenant's own rate limits, as the operator sets them. */
@Injectable()
export class TenantRateLimits {
  constructor(
    private readonly cells: Cells,
    private readonly policies: Policies,
    private readonly work: RegistryWork,
  ) {}

  async read(id: string): Promise<RateLimitsDto> {
    const tenant = checkedId(id);
    const { rows } = await this.cells.home.control.query<Row>(
      'SELECT rate_limits, rate_limits_version FROM control.tenants WHERE id = $1',
      [tenant],
    );
    const [row] = rows;
    if (!row) throw new ResourceNotFound('organisation');
    auditDetails({ resource: { type: 'tenant', id: tenant } });
    return this.#dto(row.rate_limits ?? {}, row.rate_limits_version);
  }

  /** Replaces them all. Every process follows as soon as it hears of it; nothing has to be started anew. */
  async replace(id: string, body: ReplaceRateLimitsDto, version: number | undefined): Promise<RateLimitsDto> {
    const tenant = checkedId(id);
    const limits = checkedLimits(body);
    auditDetails({ resource: { type: 'tenant', id: tenant }, changes: { ...limits } });
    const now = await this.work.run(tenant, async (registry) => {
      const { rows } = await registry.query<Row & Record<string, unknown>>({
        text: 'SELECT rate_limits, rate_limits_version FROM control.tenants WHERE id = $1 FOR UPDATE',
        values: [tenant],
      });
      const [row] = rows;
      if (!row) throw new ResourceNotFound('organisation');
      if (version !== undefined && version !== row.rate_limits_version) throw new VersionMismatch();
      const stored = Object.keys(limits).length > 0 ? JSON.stringify(limits) : null;
      await registry.query({
        text: `UPDATE control.tenants SET rate_limits = $2, rate_limits_version = rate_limits_version + 1 WHERE id = $1`,
        values: [tenant, stored],
      });
      return row.rate_limits_version + 1;
    });
    return this.#dto(limits, now);
  }

  #dto(limits: RateLimits, version: number): RateLimitsDto {
    const { requests, signIns } = this.policies.of({ rateLimits: limits });
    return {
      requests: limits.requests ?? null,
      signIns: limits.signIns ?? null,
      effective: {
        requests: { perSecond: requests.perSecond, burst: requests.burst },
        signIns: { perMinute: Math.round(signIns.perSecond * 60), burst: signIns.burst },
      },
      version,
    };
  }
}

function checkedId(id: string): TenantId {
  if (!isTenantId(id)) throw new ResourceNotFound('organisation');
  return id;
}

function checkedLimits({ requests, signIns }: ReplaceRateLimitsDto): RateLimits {
  const errors: FieldError[] = [];
  if (requests && requests.burst > requests.perSecond * FILLED_WITHIN_SECONDS)
    errors.push({
      pointer: '/requests/burst',
      detail: 'burst must be at most 3600 times perSecond',
    });
  if (signIns && signIns.burst > (signIns.perMinute * FILLED_WITHIN_SECONDS) / 60)
    errors.push({ pointer: '/signIns/burst', detail: 'burst must be at most 60 times perMinute' });
  if (errors.length > 0) throw new InvalidRequest(errors);
  return {
    ...(requests && { requests: { perSecond: requests.perSecond, burst: requests.burst } }),
    ...(signIns && { signIns: { perMinute: signIns.perMinute, burst: signIns.burst } }),
  };
}
