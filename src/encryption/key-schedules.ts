import { Injectable } from '@nestjs/common';
import { Cells, tenantId, type RegistryTransaction, type TenantId } from '../platform/database/index.js';

/** NIST SP 800-38D allows 2^32 random nonces under one AES-GCM key; half of that leaves time for a rotation to be done. */
export const ROTATE_AT_WRAPS = 2 ** 31;
export const ROTATE_AFTER_DAYS = 365;

/** What is known of the rotation of a tenant's field key. */
export interface KeySchedule {
  readonly kek: string;
  /** Seals that processes have reserved under the current key. */
  readonly wraps: number;
  readonly rotateAfterDays: number;
  readonly rotateAt: Date;
}

/** The current field key of a tenant, and since when it is. */
export interface CountedKey {
  readonly tenant: TenantId;
  readonly kek: string;
  readonly since: Date;
}

/**
 * When each tenant's key is to be rotated, and how often it has wrapped: in the home database, as what is due is asked of
 * all tenants at once. Ids of keys are in the order of time, so that a count for an older key changes nothing.
 */
const COUNT = `
  INSERT INTO control.key_schedules AS s (tenant, kek, wraps, rotate_at)
  VALUES ($1, $2, $3, CASE WHEN $3 >= ${ROTATE_AT_WRAPS} THEN now() ELSE $4::timestamptz + make_interval(days => ${ROTATE_AFTER_DAYS}) END)
  ON CONFLICT (tenant) DO UPDATE SET
    kek = GREATEST(s.kek, EXCLUDED.kek),
    wraps = CASE WHEN s.kek = EXCLUDED.kek THEN s.wraps + EXCLUDED.wraps WHEN s.kek < EXCLUDED.kek THEN EXCLUDED.wraps ELSE s.wraps END,
    rotate_at = CASE
      WHEN s.kek < EXCLUDED.kek THEN $4::timestamptz + make_interval(days => s.rotate_days)
      WHEN s.kek = EXCLUDED.kek AND s.wraps < ${ROTATE_AT_WRAPS} AND s.wraps + EXCLUDED.wraps >= ${ROTATE_AT_WRAPS} THEN LEAST(s.rotate_at, now())
      ELSE s.rotate_at END
  RETURNING kek`;

@Injectable()
export class KeySchedules {
  constructor(private readonly cells: Cells) {}

  /** Counts wraps under a key. Answers the tenant's newest key, which is another one where it was rotated elsewhere. */
  async count({ tenant, kek, since }: CountedKey, wraps: number): Promise<string> {
    const { rows } = await this.cells.home.control.query<{ kek: string }>(COUNT, [tenant, kek, wraps, since]);
    return rows[0]?.kek ?? kek;
  }

  /** Sets the age at which a tenant's key is replaced, as part of a registry change. One that has wrapped too often is due all the same. */
  async rotateAfter(
    registry: RegistryTransaction,
    { tenant, since }: Omit<CountedKey, 'kek'>,
    days: number,
  ): Promise<void> {
    await registry.query({
      text: `UPDATE control.key_schedules SET rotate_days = $2, rotate_at = LEAST(
          CASE WHEN wraps >= ${ROTATE_AT_WRAPS} THEN rotate_at END, $3::timestamptz + make_interval(days => $2))
        WHERE tenant = $1`,
      values: [tenant, days, since],
    });
  }

  async of(tenant: TenantId): Promise<KeySchedule | undefined> {
    const { rows } = await this.cells.home.control.query<{
      kek: string;
      wraps: string;
      rotate_days: number;
      rotate_at: Date;
    }>('SELECT kek, wraps, rotate_days, rotate_at FROM control.key_schedules WHERE tenant = $1', [tenant]);
    const [row] = rows;
    return (
      row && {
        kek: row.kek,
        wraps: Number(row.wraps),
        rotateAfterDays: row.rotate_days,
        rotateAt: row.rotate_at,
      }
    );
  }

  /**
   * Tenants whose key is to be rotated, and no other process's turn for a while: a rotation that could not begin is
   * tried again then.
   */
  async takeDue(limit: number, retrySeconds: number): Promise<TenantId[]> {
    const { rows } = await this.cells.home.control.query<{ tenant: string }>(
      `UPDATE control.key_schedules SET rotate_at = now() + make_interval(secs => $2)
       WHERE tenant IN (SELECT tenant FROM control.key_schedules WHERE rotate_at <= now()
         ORDER BY rotate_at LIMIT $1 FOR UPDATE SKIP LOCKED)
       RETURNING tenant`,
      [limit, retrySeconds],
    );
    return rows.map(({ tenant }) => tenantId(tenant));
  }
}
