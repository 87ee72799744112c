import { Injectable, type OnModuleInit } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import {
  announce,
  Cells,
  Feed,
  tenantId,
  type TenantId,
  type TenantRef,
} from '../platform/database/index.js';
import { AppError } from '../platform/http/errors.js';

/** A tenant as the registry knows it. */
export interface Tenant extends TenantRef {
  readonly slug: string;
  readonly name: string;
  readonly status: 'creating' | 'active' | 'suspended';
  readonly createdAt: Date;
  /** The cell that it is being moved to. */
  readonly movingTo?: string;
  /** For the last moments of a move; reading goes on. */
  readonly writesPaused: boolean;
}

interface Row {
  id: string;
  slug: string;
  name: string;
  region: string;
  cell: string;
  status: Tenant['status'];
  created_at: Date;
  moving_to: string | null;
  writes_paused: boolean;
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
const COLUMNS =
  'id, slug, name, region, cell, status, created_at, moving_to, pause_id IS NOT NULL AS writes_paused';

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
  ) {}

  onModuleInit(): void {
    this.feed.subscribe(({ kind }) => {
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

  /** As the registry has it at this moment, whatever is in memory. */
  async current(id: TenantId): Promise<Tenant | undefined> {
    const { rows } = await this.cells.home.control.query<Row>({
      name: 'tenant_by_id',
      text: `SELECT ${COLUMNS} FROM control.tenants WHERE id = $1`,
      values: [id],
    });
    return rows[0] && tenantOf(rows[0]);
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
    const tenant = rows[0] && tenantOf(rows[0]);
    if (heard === this.#changesHeard)
      this.#cache.set(key, { tenant }, tenant ? {} : { ttl: KEEP_UNKNOWN_MS });
    return tenant;
  }

  async #announce(id: string): Promise<void> {
    this.#changesHeard += 1;
    this.#cache.clear();
    const { text, values } = announce({ kind: 'tenant', tenant: id, id });
    await this.cells.home.control.query(text, [...values]);
  }
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
    ...(row.moving_to !== null && { movingTo: row.moving_to }),
    writesPaused: row.writes_paused,
  };
}
