import { Injectable } from '@nestjs/common';
import { FieldEncryption } from '../encryption/index.js';
import { Cells, type RegistryTransaction, type TenantRef } from '../platform/database/index.js';
import { LegalHold, NoLegalHold } from './retention.errors.js';

/** Who set a hold; what the operator has set, an owner cannot lift. */
export type Holder = 'owner' | 'operator';

export interface Hold {
  readonly since: Date;
  readonly by: Holder;
  readonly reason: string;
}

interface Row extends Record<string, unknown> {
  held_since: Date | null;
  held_by: Holder | null;
  held_reason: Buffer | null;
}

/**
 * Legal holds: while one is set nothing of an organisation's log is deleted, however old it is. That is decided by the row in
 * the registry, at once; the flags on the objects follow.
 */
@Injectable()
export class LegalHolds {
  constructor(
    private readonly cells: Cells,
    private readonly encryption: FieldEncryption,
  ) {}

  async of(tenant: TenantRef): Promise<Hold | undefined> {
    const { rows } = await this.cells.home.control.query<Row>(
      'SELECT held_since, held_by, held_reason FROM control.log_retention WHERE tenant = $1',
      [tenant.id],
    );
    const { held_since: since, held_by: by, held_reason: sealed } = rows[0] ?? {};
    if (!since || !by || !sealed) return undefined;
    return { since, by, reason: String(await this.encryption.openJson(tenant, place(tenant), sealed)) };
  }

  /** As part of the registry change that locked the organisation's entry. @throws {LegalHold} where another holds it already */
  async set(registry: RegistryTransaction, tenant: TenantRef, by: Holder, reason: string): Promise<void> {
    const holder = await this.#holder(registry, tenant);
    if (holder !== undefined && holder !== by)
      throw new LegalHold('The log of this organisation is under a legal hold of somebody else already.');
    const sealed = await this.encryption.sealJson(tenant, place(tenant), reason);
    await registry.query({
      text: `INSERT INTO control.log_retention AS r (tenant, held_since, held_by, held_reason) VALUES ($1, now(), $2, $3)
        ON CONFLICT (tenant) DO UPDATE
        SET held_since = COALESCE(r.held_since, now()), held_by = $2, held_reason = $3, version = r.version + 1`,
      values: [tenant.id, by, sealed],
    });
  }

  /** @throws {NoLegalHold} @throws {LegalHold} where it is the operator's */
  async lift(registry: RegistryTransaction, tenant: TenantRef, by: Holder): Promise<void> {
    const holder = await this.#holder(registry, tenant);
    if (holder === undefined) throw new NoLegalHold();
    if (holder === 'operator' && by === 'owner')
      throw new LegalHold('The legal hold of this log was set by the operator of the installation.');
    await registry.query({
      text: `UPDATE control.log_retention SET held_since = NULL, held_by = NULL, held_reason = NULL, version = version + 1
        WHERE tenant = $1`,
      values: [tenant.id],
    });
  }

  /** @throws {LegalHold} */
  async requireNone(registry: RegistryTransaction, tenant: Pick<TenantRef, 'id'>): Promise<void> {
    if ((await this.#holder(registry, tenant)) !== undefined) throw new LegalHold();
  }

  async #holder(registry: RegistryTransaction, { id }: Pick<TenantRef, 'id'>): Promise<Holder | undefined> {
    const { rows } = await registry.query<Row>({
      text: 'SELECT held_since, held_by, held_reason FROM control.log_retention WHERE tenant = $1 FOR UPDATE',
      values: [id],
    });
    return rows[0]?.held_by ?? undefined;
  }
}

function place({ id }: TenantRef) {
  return { table: 'log_retention', column: 'held_reason', row: id };
}
