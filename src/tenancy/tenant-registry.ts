import { Injectable, type OnModuleInit } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import {
  announce,
  Cells,
  Feed,
  Provisioning,
  tenantId,
  type TenantId,
  type TenantRef,
} from '../platform/database/index.js';
import { AppError } from '../platform/http/errors.js';
import type { NetworkRules, RateLimits } from '../platform/http/tenant-rules.js';

/** A tenant as the registry knows it. */
export interface Tenant extends TenantRef {
  readonly slug: string;
  readonly name: string;
  readonly status: 'creating' | 'active' | 'suspended';
  readonly createdAt: Date;
  /** Its schema lacks a migration of this program: it is not served until it is migrated. Known of one that was asked for. */
  readonly behind?: boolean;
  readonly rateLimits?: RateLimits;
  readonly networkRules?: NetworkRules;
}

interface Row {
  id: string;
  slug: string;
  name: string;
  region: string;
  cell: string;
  status: Tenant['status'];
  created_at: Date;
  rate_limits: RateLimits | null;
  network_rules: NetworkRules | null;
}

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
const COLUMNS = 'id, slug, name, region, cell, status, created_at, rate_limits, network_rules';

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

  /** Claims a slug. The tenant is of no use until it is active. */
  async claim(tenant: TenantRef & Pick<Tenant, 'slug' | 'name'>): Promise<void> {
    const claimed = await this.cells.home.control.query(
      `INSERT INTO control.tenants (id, slug, name, region, cell, status) VALUES ($1, $2, $3, $4, $5, 'creating')
       ON CONFLICT (slug) DO NOTHING`,
      [tenant.id, tenant.slug, tenant.name, tenant.region, tenant.cell],
    );
    if (claimed.rowCount === 0) throw new SlugTaken(tenant.slug);
  }

  async activate(id: TenantId): Promise<Tenant> {
    const { rows } = await this.cells.home.control.query<Row>(
      `UPDATE control.tenants SET status = 'active' WHERE id = $1 RETURNING ${COLUMNS}`,
      [id],
    );
    await this.#announce(id);
    const [row] = rows;
    if (!row) throw new Error(`Tenant ${id} is not in the registry.`);
    return tenantOf(row);
  }

  async forget(id: TenantId): Promise<void> {
    await this.cells.home.control.query(`DELETE FROM control.tenants WHERE id = $1 AND status = 'creating'`, [
      id,
    ]);
    await this.#announce(id);
  }

  /** Tenants whose creation began before `seconds` ago and did not end. */
  async unfinished(seconds: number): Promise<Tenant[]> {
    const { rows } = await this.cells.home.control.query<Row>(
      `SELECT ${COLUMNS} FROM control.tenants
       WHERE status = 'creating' AND created_at <= now() - make_interval(secs => $1) ORDER BY created_at LIMIT 100`,
      [seconds],
    );
    return rows.map(tenantOf);
  }

  /** How many tenants each cell of a region has. */
  async population(region: string): Promise<Map<string, number>> {
    const { rows } = await this.cells.home.control.query<{ cell: string; tenants: number }>(
      'SELECT cell, count(*)::int AS tenants FROM control.tenants WHERE region = $1 GROUP BY cell',
      [region],
    );
    return new Map(rows.map(({ cell, tenants }) => [cell, tenants]));
  }

  /** Page by page, in the order of their ids. */
  async list(after: string | undefined, limit: number): Promise<Tenant[]> {
    const { rows } = await this.cells.home.control.query<Row>(
      `SELECT ${COLUMNS} FROM control.tenants WHERE $1::text IS NULL OR id > $1 ORDER BY id LIMIT $2`,
      [after ?? null, limit],
    );
    return rows.map(tenantOf);
  }

  async #find(key: string, column: 'id' | 'slug'): Promise<Tenant | undefined> {
    const known = this.feed.reliable() ? this.#cache.get(key) : undefined;
    if (known) return known.tenant;
    const heard = this.#changesHeard;
    const { rows } = await this.cells.home.control.query<Row>({
      name: `tenant_by_${column}`,
      text: `SELECT ${COLUMNS} FROM control.tenants WHERE ${column} = $1`,
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
    const { text, values } = announce({ kind: 'tenant', tenant: id, id });
    await this.cells.home.control.query(text, [...values]);
  }
}

/** Tenants by slug or id, for a process that serves nobody and so has no change feed. */
export async function findTenants(cells: Cells, names: readonly string[]): Promise<Tenant[]> {
  const { rows } = await cells.home.control.query<Row>(
    `SELECT ${COLUMNS} FROM control.tenants WHERE id = ANY ($1) OR slug = ANY ($1)`,
    [names],
  );
  return rows.map(tenantOf);
}

function tenantOf(row: Row): Tenant {
  const { id, slug, name, region, cell, status } = row;
  return {
    id: tenantId(id),
    slug,
    name,
    region,
    cell,
    status,
    createdAt: row.created_at,
    rateLimits: row.rate_limits ?? undefined,
    networkRules: row.network_rules ?? undefined,
  };
}
