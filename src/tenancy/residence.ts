import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { PLATFORM_TENANT, type TenantRef } from '../platform/database/index.js';
import { AppError } from '../platform/http/errors.js';
import { TenantRegistry } from './tenant-registry.js';

/** Nothing was done: the organisation is in the last moments of its move to another cell. */
export class TenantMoving extends AppError {
  readonly kind = 'unavailable';
  readonly code = 'TENANT_MOVING';
  constructor(options?: ErrorOptions) {
    super(
      'This organisation is being moved and cannot be changed for a moment. Repeat the request, with its Idempotency-Key.',
      options,
    );
  }
}

/**
 * How a database refuses what is meant for a tenant that may not write there, or does not live there any more: no
 * privilege (42501), the shared tables' own refusal (WX001), no such table, schema or role.
 */
const NOT_HERE: ReadonlySet<unknown> = new Set(['42501', 'WX001', '42P01', '3F000', '22023', '42704']);
const LOOK_MS = 20;
const SETTLED_WITHIN_MS = 10_000;

/** Where a tenant lives, for those who find that it is not, or not quite, where they looked. */
@Injectable()
export class Residence {
  readonly #settling = new Map<string, Promise<TenantRef>>();

  constructor(private readonly tenants: TenantRegistry) {}

  /**
   * Refuses what would write to a tenant that must not change now. From memory: a process that has not heard of it is
   * refused by the database.
   */
  requireWritable({ id }: TenantRef): void {
    if (this.tenants.remembered(id)?.writesPaused) throw new TenantMoving();
  }

  /** What was thrown, as `TenantMoving` where that is what it means; anything else as it is. */
  async explained(tenant: TenantRef | undefined, thrown: unknown): Promise<unknown> {
    if (!tenant || !NOT_HERE.has(codeOf(thrown))) return thrown;
    const current = await this.tenants.current(tenant.id).catch(() => undefined);
    const moving = current && (current.movingTo !== undefined || current.cell !== tenant.cell);
    return moving ? new TenantMoving({ cause: thrown }) : thrown;
  }

  /**
   * Where the tenant lives once its writes are not paused any more.
   * @throws {TenantMoving} when that does not happen within ten seconds
   */
  settled(tenant: TenantRef): Promise<TenantRef> {
    if (tenant.id === PLATFORM_TENANT) return Promise.resolve(tenant);
    // However many requests wait, the registry is asked by one of them.
    const key = `${tenant.id} ${tenant.cell}`;
    const known = this.#settling.get(key);
    if (known) return known;
    const settling = this.#settle(tenant).finally(() => this.#settling.delete(key));
    this.#settling.set(key, settling);
    return settling;
  }

  async #settle(tenant: TenantRef): Promise<TenantRef> {
    for (const until = Date.now() + SETTLED_WITHIN_MS; Date.now() < until; await sleep(LOOK_MS)) {
      const current = await this.tenants.current(tenant.id);
      if (!current) break;
      if (current.cell !== tenant.cell || !current.writesPaused)
        return { id: current.id, region: current.region, cell: current.cell };
    }
    throw new TenantMoving();
  }
}

function codeOf(thrown: unknown): unknown {
  const { code, driverError } = thrown as { code?: unknown; driverError?: unknown };
  return driverError === undefined ? code : codeOf(driverError);
}
