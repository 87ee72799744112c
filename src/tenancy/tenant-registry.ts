import { Injectable, type OnModuleInit } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import {
  announceInRegistry,
  Cells,
  Feed,
  Provisioning,
  tenantId,
  type RegistryTransaction,
  type TenantId,
  type TenantRef,
} from '../platform/database/index.js';
import { AppError, ResourceNotFound } from '../platform/http/errors.js';
import { COLUMNS, tenantOf, type Tenant, type TenantRow } from './tenant.js';

export class SlugTaken extends AppError {
  readonly kind = 'conflict';
  readonly code = 'SLUG_TAKEN';
  constructor(slug: string) {
    super(`An organisation with the slug "${slug}" exists already. Choose another.`);
  }
}

const TENANTS_IN_MEMORY = 10_000;
const KEEP_MS = 5 * 60 * 1_000;
/** Unknown names are remembered too, briefly: asking for them must not be a way to load the database. */
const KEEP_UNKNOWN_MS = 5_000;
/** The migrator says when it is done; this is for whoever does not hear it. */
const KEEP_BEHIND_MS = 5_000;
/** Takes the name $2 for the tenant $1, where nobody has it or has had it until a while ago; else returns nothing. */
export const CLAIM_SLUG = `
  INSERT INTO control.slugs AS taken (slug, tenant) VALUES ($2, $1)
  ON CONFLICT (slug) DO UPDATE SET tenant = EXCLUDED.tenant, former_since = NULL, until = NULL
    WHERE taken.until <= now() OR taken.tenant = EXCLUDED.tenant
  RETURNING slug`;
const FIND = {
  id: `SELECT ${COLUMNS} FROM control.tenants WHERE id = $1`,
  // By a former name too: in the one query that a name costs anyway.
  slug: `SELECT t.*, f.former_since, f.until FROM (SELECT ${COLUMNS} FROM control.tenants) t
    LEFT JOIN control.slugs f ON f.slug = $1 AND f.tenant = t.id AND f.until > now()
    WHERE t.slug = $1 OR t.id = (SELECT tenant FROM control.slugs WHERE slug = $1 AND until > now())`,
};

/** Which tenants exist and where they live. In the home database; read through a cache that the change feed keeps true. */
@Injectable()
export class TenantRegistry implements OnModuleInit {
  #changesHeard = 0;
  readonly #cache = new LRUCache<string, { tenant: Tenant | undefined }>({
    max: TENANTS_IN_MEMORY,
    ttl: KEEP_MS,
  });

  constructor(
    private readonly cells: Cells,
    private readonly feed: Feed,
    private readonly provisioning: Provisioning,
  ) {}

  onModuleInit(): void {
    this.feed.subscribe(({ kind }) => {
      if (kind === 'schemas') return this.#forgetBehind();
      if (kind !== 'tenant') return;
      this.#changesHeard += 1;
      // Rare, and an entry stands under its id and its slug: all of them are read again.
      this.#cache.clear();
    });
  }

  /** The tenant, where it is in memory: for requests, which then need not wait. */
  remembered(key: string): Tenant | undefined {
    return this.feed.reliable() ? this.#cache.get(key)?.tenant : undefined;
  }

  byId(id: TenantId): Promise<Tenant | undefined> {
    return this.#find(id, 'id');
  }

  bySlug(slug: string): Promise<Tenant | undefined> {
    return this.#find(slug, 'slug');
  }

  /** As it is at this moment in the database, whatever this process has heard: for those who change it. */
  async current(id: TenantId): Promise<Tenant | undefined> {
    const { rows } = await this.cells.home.control.query<TenantRow>(FIND.id, [id]);
    return rows[0] && tenantOf(rows[0]);
  }

  /** As it is, locked until the end of the transaction that is going to change it. */
  async locked(registry: RegistryTransaction, id: TenantId): Promise<Tenant> {
    const { rows } = await registry.query<TenantRow>({ text: `${FIND.id} FOR UPDATE`, values: [id] });
    const [row] = rows;
    if (!row) throw new ResourceNotFound('organisation');
    return tenantOf(row);
  }

  /** Claims a slug. The tenant is of no use until it is active. */
  async claim(tenant: TenantRef & Pick<Tenant, 'slug' | 'name'>): Promise<void> {
    const claimed = await this.cells.home.control.query(
      `WITH name AS (${CLAIM_SLUG})
       INSERT INTO control.tenants (id, slug, name, region, cell, status)
       SELECT $1, $2, $3, $4, $5, 'creating' FROM name`,
      [tenant.id, tenant.slug, tenant.name, tenant.region, tenant.cell],
    );
    if (claimed.rowCount === 0) throw new SlugTaken(tenant.slug);
  }

  /** Ends its creation. One that another process has finished, and perhaps changed since, stays as it is. */
  async activate(id: TenantId): Promise<Tenant> {
    await this.cells.home.control.query(
      `UPDATE control.tenants SET status = 'active' WHERE id = $1 AND status = 'creating'`,
      [id],
    );
    await this.#announce(id);
    const tenant = await this.current(id);
    if (!tenant) throw new Error(`Tenant ${id} is not in the registry.`);
    return tenant;
  }

  async forget(id: TenantId): Promise<void> {
    await this.cells.home.control.query(`DELETE FROM control.tenants WHERE id = $1 AND status = 'creating'`, [
      id,
    ]);
    await this.#announce(id);
  }

  /** Tenants whose creation began before `seconds` ago and did not end. */
  async unfinished(seconds: number): Promise<Tenant[]> {
    const { rows } = await this.cells.home.control.query<TenantRow>(
      `SELECT ${COLUMNS} FROM control.tenants
       WHERE status = 'creating' AND created_at <= now() - make_interval(secs => $1) ORDER BY created_at LIMIT 100`,
      [seconds],
    );
    return rows.map(tenantOf);
  }

  /** Those in a cell that are not served at this moment: suspended, on their way out, not there yet. */
  async notServed(cell: string): Promise<TenantId[]> {
    const { rows } = await this.cells.home.control.query<{ id: string }>(
      `SELECT id FROM control.tenants WHERE cell = $1 AND status <> 'active'`,
      [cell],
    );
    return rows.map(({ id }) => tenantId(id));
  }

  /** When a tenant of this id was purged, if it was. */
  async purgedAt(id: TenantId): Promise<Date | undefined> {
    const { rows } = await this.cells.home.control.query<{ purged_at: Date }>(
      'SELECT purged_at FROM control.tombstones WHERE id = $1',
      [id],
    );
    return rows[0]?.purged_at;
  }

  /** How many tenants each cell of a region has, those on their way to it included. */
  async population(region: string): Promise<Map<string, number>> {
    const { rows } = await this.cells.home.control.query<{ cell: string; tenants: number }>(
      `SELECT cell, count(*)::int AS tenants FROM (
         SELECT cell FROM control.tenants WHERE region = $1
         UNION ALL SELECT moving_to FROM control.tenants WHERE moving_to IS NOT NULL) placed
       GROUP BY cell`,
      [region],
    );
    return new Map(rows.map(({ cell, tenants }) => [cell, tenants]));
  }

  /** Page by page, in the order of their ids. */
  async list(after: string | undefined, limit: number): Promise<Tenant[]> {
    const { rows } = await this.cells.home.control.query<TenantRow>(
      `SELECT ${COLUMNS} FROM control.tenants WHERE $1::text IS NULL OR id > $1 ORDER BY id LIMIT $2`,
      [after ?? null, limit],
    );
    return rows.map(tenantOf);
  }

  async #find(key: string, column: 'id' | 'slug'): Promise<Tenant | undefined> {
    const known = this.feed.reliable() ? this.#cache.get(key) : undefined;
    if (known) return known.tenant;
    const heard = this.#changesHeard;
    const { rows } = await this.cells.home.control.query<TenantRow>({
      name: `tenant_by_${column}`,
      text: FIND[column],
      values: [key],
    });
    const tenant = rows[0] && (await this.#withSchema(tenantOf(rows[0])));
    const ttl = tenant ? (tenant.behind ? KEEP_BEHIND_MS : KEEP_MS) : KEEP_UNKNOWN_MS;
    if (heard === this.#changesHeard) this.#cache.set(key, { tenant }, { ttl });
    return tenant;
  }

  async #withSchema(tenant: Tenant): Promise<Tenant> {
    if (!this.cells.has(tenant.cell)) return tenant;
    return { ...tenant, behind: !(await this.provisioning.isCurrent(tenant)) };
  }

  /** A schema only ever goes forward: what was known to be current stays so. */
  #forgetBehind(): void {
    this.#changesHeard += 1;
    for (const [key, { tenant }] of this.#cache.entries()) if (tenant?.behind) this.#cache.delete(key);
  }

  async #announce(id: string): Promise<void> {
    this.#changesHeard += 1;
    this.#cache.clear();
    const { text, values } = announceInRegistry({ kind: 'tenant', tenant: id, id });
    await this.cells.home.control.query(text, [...values]);
  }
}

/** Tenants by slug or id, for a process that serves nobody and so has no change feed. */
export async function findTenants(cells: Cells, names: readonly string[]): Promise<Tenant[]> {
  const { rows } = await cells.home.control.query<TenantRow>(
    `SELECT ${COLUMNS} FROM control.tenants WHERE id = ANY ($1) OR slug = ANY ($1)`,
    [names],
  );
  return rows.map(tenantOf);
}
